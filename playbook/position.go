package playbook

import "strings"

// Position says where the thing with the given dotted path is written, for example services.api.rto or
// scenarios.api-failure.recovery[2].expect. A scalar's place is that of its value, that of anything else its key or its list
// item. What is not written has the place of the nearest thing around it.
func (pb *Playbook) Position(path string) Pos {
	for path != "" {
		if pos, ok := pb.positions[path]; ok {
			return pos
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return Pos{File: MainFile, Line: 1, Col: 1}
}
