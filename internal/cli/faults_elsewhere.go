package cli

import (
	"strings"

	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/playbook"
)

// misplaced are the faults that cannot be made where the playbook says, whatever is there: by no way that we know, or of a
// kind that is only made here. A place with a placeholder is read once for each environment that has a value for it.
func misplaced(pb *playbook.Playbook) (found playbook.Errors) {
	for _, s := range pb.Scenarios {
		if s.Value.Fault == nil || s.Value.Fault.Where == "" {
			continue
		}
		for _, where := range places(pb, s.Value.Fault.Where) {
			at := *s.Value.Fault
			at.Where = where
			spec, err := faultSpec(at)
			if err == nil {
				_, err = all.Kinds().Decode(spec)
			}
			if err == nil {
				continue
			}
			path := playbook.ScenarioDir + "." + s.ID + ".fault.where"
			pos := pb.Position(path)
			why := strings.TrimPrefix(err.Error(), "fault remote: ")
			found = append(found, playbook.Error{File: pos.File, Line: pos.Line, Col: pos.Col, Path: path, Message: strings.TrimPrefix(why, "where: ")})
			break
		}
	}
	return found
}

// places are what a place is in each environment.
func places(pb *playbook.Playbook, where string) []string {
	if !strings.Contains(where, "${") {
		return []string{where}
	}
	var out []string
	for _, env := range pb.Environments.IDs() {
		lookup, err := environmentValues(pb, env)
		if err != nil {
			continue
		}
		if one, err := playbook.Expand(where, lookup); err == nil {
			out = append(out, one)
		}
	}
	return out
}
