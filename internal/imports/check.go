package imports

import (
	"fmt"
	"slices"
	"strings"
)

// Check returns every breach of the table, one a line, in order.
func Check(pkgs []Package) []string {
	byPath := map[string]Package{}
	for _, p := range pkgs {
		byPath[p.ImportPath] = p
	}
	var found []string
	for _, p := range pkgs {
		from, ours := rel(p.ImportPath)
		if !ours {
			continue
		}
		found = append(found, checkDirection(from, p.Imports)...)
		if slices.Contains(pure(), from) {
			found = append(found, checkPure(from, p, byPath)...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// checkDirection holds one package's imports against the table of rooms.
func checkDirection(from string, imports []string) []string {
	room, ok := roomOf(from)
	if !ok {
		return []string{fmt.Sprintf("%s: no room in the table (internal/imports/rules.go)", from)}
	}
	var found []string
	for _, path := range imports {
		to, ours := rel(path)
		if !ours {
			continue
		}
		if !slices.Contains(shared(), to) && !matchesAny(room.May, to) {
			found = append(found, fmt.Sprintf("%s must not import %s: %s", from, to, room.Why))
		}
		for _, g := range guarded() {
			if matches(g.Room, to) && !matchesAny(g.May, from) {
				found = append(found, fmt.Sprintf("%s must not import %s: %s", from, to, g.Why))
			}
		}
	}
	return found
}

// roomOf finds the rule with the longest matching room.
func roomOf(path string) (rule, bool) {
	var best rule
	found := false
	for _, r := range rooms() {
		// An exact room beats "room/..." of the same name.
		if matches(r.Room, path) && (!found || len(r.Room) > len(best.Room) || r.Room == path) && best.Room != path {
			best, found = r, true
		}
	}
	return best, found
}

// checkPure looks at everything of ours that a pure package reaches, and at whose modules it reaches.
func checkPure(from string, p Package, byPath map[string]Package) []string {
	var found []string
	for _, path := range append([]string{p.ImportPath}, p.Deps...) {
		dep := byPath[path]
		at, ours := rel(path)
		switch {
		case dep.Standard || path == "C" || path == "unsafe":
		case ours:
			for _, imported := range dep.Imports {
				if why, bad := worldly()[imported]; bad {
					found = append(found, fmt.Sprintf("%s must stay pure, but %s imports %s, which %s", from, at, imported, why))
				}
			}
			if at == "internal/clock" {
				found = append(found, fmt.Sprintf("%s must stay pure, but reaches internal/clock: take the time as a value", from))
			}
		case dep.Module == nil || !slices.Contains(pureModules(), dep.Module.Path):
			found = append(found, fmt.Sprintf("%s must stay pure, but reaches %s, which is not on the list of pure modules", from, path))
		}
	}
	return found
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// matches says whether the path is the pattern, or below it when the pattern ends in "/...".
func matches(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	if above, below := strings.CutSuffix(pattern, "/..."); below {
		return path == above || strings.HasPrefix(path, above+"/")
	}
	return path == pattern
}
