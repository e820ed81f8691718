package kubernetes

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

func fixed() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// checkNames asks the rules of Kubernetes itself.
func checkNames(t *rapid.T, m mark) {
	if wrong := validation.IsValidLabelValue(m.ID); len(wrong) > 0 {
		t.Fatalf("label %q: %v", m.ID, wrong)
	}
	if wrong := validation.IsQualifiedName(m.annotation()); len(wrong) > 0 {
		t.Fatalf("annotation %q: %v", m.annotation(), wrong)
	}
	if wrong := validation.IsDNS1123Label(m.object()); len(wrong) > 0 {
		t.Fatalf("object %q: %v", m.object(), wrong)
	}
}
