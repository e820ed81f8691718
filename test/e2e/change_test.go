package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A stage is lost when what was agreed or proven changes, and the change is named. Prose and phone numbers change nothing.
func TestChange(t *testing.T) {
	w := newWorld(t)
	demo := decode[demonstration](w, w.ok("demo", "--json", "--dir", w.dir))
	if demo.Stage == nil || *demo.Stage != 1 {
		t.Fatalf("stage %v after the demo, want 1", demo.Stage)
	}
	api := filepath.Join("scenarios", "api-failure.yaml")
	tests := []struct {
		name     string
		file     string
		old, new string
		stage    int
		names    string
	}{
		{"a comment", "belay.yaml", "application: bookstore", "# a remark\napplication: bookstore", 1, ""},
		{"a phone number", "belay.yaml", "555-555-5551", "555-555-5999", 1, ""},
		{"the severity of a scenario", api, "severity: critical", "severity: major", 0, "severity"},
		{"a step of a scenario", api, "- {id: restart-app, use: restart-app,", "- {id: restart-app, use: restart-server,", 0, "restart-app"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(w.dir, tt.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(string(text), tt.old) == 0 {
				t.Fatalf("%s does not hold %q: the test changes nothing", tt.file, tt.old)
			}
			changed := strings.Replace(string(text), tt.old, tt.new, 1)
			if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
			defer os.WriteFile(path, text, 0o644)

			got := decode[assessment](w, w.ok("stage", "--json", "--dir", w.dir))
			if got.Stage == nil || *got.Stage != tt.stage {
				t.Errorf("stage %v, want %d: %+v", got.Stage, tt.stage, got)
			}
			if said := strings.Join(got.Lost, "\n"); tt.names != "" && !strings.Contains(said, tt.names) {
				t.Errorf("the change of %s is not named: %q", tt.names, said)
			} else if tt.names == "" && said != "" {
				t.Errorf("something is lost: %q", said)
			}
		})
	}
	// As it was: the stage is back.
	if got := decode[assessment](w, w.ok("stage", "--json", "--dir", w.dir)); got.Stage == nil || *got.Stage != 1 {
		t.Errorf("stage %v when everything is as it was, want 1", got.Stage)
	}
}
