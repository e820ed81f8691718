package playbook

import (
	"io/fs"
	"path"
	"strings"
)

// MainFile is the name of the file with everything but the scenarios.
const MainFile = "belay.yaml"

// ScenarioDir is the directory with one file per scenario.
const ScenarioDir = "scenarios"

// Load reads belay.yaml and scenarios/*.yaml from fsys and checks them. The error is of type Errors and holds every mistake
// of the run; the playbook is then nil.
//
// It works in two passes. The first decodes each file against the types and the kinds. The second checks what refers to
// something else; it runs as well when the first found mistakes, but says nothing that only follows from one of them.
func Load(fsys fs.FS, kinds Kinds) (*Playbook, error) {
	l := &loader{kinds: kinds, bad: map[string]bool{}, hurt: map[string]bool{}, positions: map[string]Pos{}, keys: map[string]Pos{}}
	pb := &Playbook{positions: l.positions}
	l.main(fsys, pb)
	l.scenarios(fsys, pb)
	(&checker{loader: l, pb: pb}).all()
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	return pb, nil
}

// Limits of what is read. A playbook a person can follow is far below them.
const (
	longestFile       = 1 << 20
	longestText       = 16 << 10
	longestIdentifier = 64
	mostNodes         = 50_000
	deepestNode       = 64
	mostEntries       = 1000
	mostScenarios     = 500
	mostErrors        = 500
)

// loader collects what the files say and what is wrong with them.
type loader struct {
	kinds     Kinds
	errs      Errors
	bad       map[string]bool // the paths at which a mistake was found
	hurt      map[string]bool // these and all paths around them
	positions map[string]Pos
	keys      map[string]Pos // the keys of an action that may be environments
	texts     []text         // every text, for the check of placeholders
}

// text is one string as it was written.
type text struct {
	path  string
	value string
}

// fail notes a mistake and remembers that the path cannot be relied on.
func (l *loader) fail(pos Pos, path, message, hint string) {
	l.note(pos, path, message, hint)
	l.bad[path] = true
	for at := path; ; at = outer(at) {
		l.hurt[at] = true
		if at == "" {
			break
		}
	}
}

// note adds a mistake to the list.
func (l *loader) note(pos Pos, path, message, hint string) {
	switch {
	case len(l.errs) < mostErrors:
		l.errs = append(l.errs, Error{File: pos.File, Line: max(pos.Line, 1), Col: max(pos.Col, 1), Path: path, Message: message, Hint: hint})
	case len(l.errs) == mostErrors:
		l.errs = append(l.errs, Error{File: pos.File, Line: max(pos.Line, 1), Col: max(pos.Col, 1), Message: "there are more mistakes than are shown"})
	}
}

// outer is the path of what is around the path: "a.b" for "a.b.c" and for "a.b[1]".
func outer(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// join is the path of a key below a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// main reads belay.yaml.
func (l *loader) main(fsys fs.FS, pb *Playbook) {
	node, ok := l.document(fsys, MainFile, "")
	if !ok {
		l.bad[""] = true
		return
	}
	d := &decoder{loader: l, file: MainFile}
	d.decode(node, place{}, fieldOf(pb))
}

// scenarios reads the files under scenarios/. Each has a row, even when it is broken, so that what refers to it is right.
func (l *loader) scenarios(fsys fs.FS, pb *Playbook) {
	names, ok := l.scenarioFiles(fsys)
	if !ok {
		l.bad[ScenarioDir] = true
		return
	}
	for _, name := range names {
		id := strings.TrimSuffix(path.Base(name), ".yaml")
		at := ScenarioDir + "." + id
		pb.Scenarios = append(pb.Scenarios, Row[Scenario]{ID: id})
		scenario := &pb.Scenarios[len(pb.Scenarios)-1].Value
		l.positions[at] = Pos{File: name, Line: 1, Col: 1}
		if !isScenarioID(id) {
			l.note(l.positions[at], "", "the name of a scenario's file has lower-case letters, digits and - only, and ends with .yaml", "")
			l.bad[at] = true
			continue
		}
		node, ok := l.document(fsys, name, at)
		if !ok {
			l.bad[at] = true
			continue
		}
		d := &decoder{loader: l, file: name}
		d.decode(node, place{path: at}, fieldOf(scenario))
	}
}
