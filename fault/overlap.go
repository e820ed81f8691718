package fault

import (
	"path/filepath"
	"strings"
)

// Overlap is the first thing of b that a wants too; empty when there is none. A path has all that is below it.
func Overlap(a, b []string) string {
	for _, x := range a {
		for _, y := range b {
			if x == y || filepath.IsAbs(x) && filepath.IsAbs(y) && (Within(x, y) || Within(y, x)) {
				return y
			}
		}
	}
	return ""
}

// Within says that a path is a directory or below it.
func Within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
