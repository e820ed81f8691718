package fault

import (
	"maps"
	"slices"
	"strings"
)

// IsProduction says that the value of a label or a tag names a production environment.
func IsProduction(value string) bool {
	return slices.Contains([]string{"production", "prod", "prd", "live"}, strings.ToLower(strings.TrimSpace(value)))
}

// ProductionMark returns the first of some labels, annotations or tags, in the order of their keys, that says that their
// bearer belongs to production: "environment=prod". It is empty when none does. Keys are those that people use for
// environments, in any case, and Belay's own.
func ProductionMark(labels map[string]string) string {
	keys := []string{"belay.dev/environment", "belay:environment", "environment", "env", "app.kubernetes.io/environment"}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if slices.Contains(keys, strings.ToLower(k)) && IsProduction(labels[k]) {
			return k + "=" + labels[k]
		}
	}
	return ""
}
