package awstest

import (
	"fmt"
	"sync"
	"time"
)

// FIS are the simulated experiments. They pass through the states of FIS and break nothing.
type FIS struct {
	mu          sync.Mutex
	templates   map[string]map[string]any
	experiments []*experiment
}

type experiment struct {
	id, template, token string
	status, reason      string
	due                 time.Time
	tags                map[string]any
}

func newFIS() *FIS { return &FIS{templates: map[string]map[string]any{}} }

// Template adds a template, given as the model has it.
func (f *FIS) Template(id string, t map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t["id"] = id
	f.templates[id] = t
}

// Running says whether an experiment of a template is not over.
func (f *FIS) Running(template string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.experiments {
		if s := e.now(); e.template == template && s != "stopped" && s != "completed" && s != "failed" {
			return true
		}
	}
	return false
}

// Started is how many experiments of a template were started.
func (f *FIS) Started(template string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, e := range f.experiments {
		if e.template == template {
			n++
		}
	}
	return n
}

// End lets all experiments of a template end with a status.
func (f *FIS) End(template, status, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.experiments {
		if e.template == template {
			e.status, e.reason = status, reason
		}
	}
}

// now goes on to the next state when that is due.
func (e *experiment) now() string {
	next := map[string]string{"pending": "initiating", "initiating": "running", "stopping": "stopped"}
	for next[e.status] != "" && time.Now().After(e.due) {
		e.status, e.due = next[e.status], e.due.Add(30*time.Millisecond)
	}
	return e.status
}

func (f *FIS) handlers() map[string]handler {
	locked := func(h handler) handler {
		return func(in map[string]any) (map[string]any, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return h(in)
		}
	}
	return map[string]handler{
		"GetExperimentTemplate": locked(f.template), "StartExperiment": locked(f.start), "GetExperiment": locked(f.get),
		"StopExperiment": locked(f.stop), "ListExperiments": locked(f.list),
	}
}

func (f *FIS) template(in map[string]any) (map[string]any, error) {
	t := f.templates[in["id"].(string)]
	if t == nil {
		return nil, fail("ResourceNotFoundException", "Experiment template %s was not found", in["id"])
	}
	return map[string]any{"experimentTemplate": t}, nil
}

func (f *FIS) describe(e *experiment) map[string]any {
	state := map[string]any{"status": e.now()}
	if e.reason != "" {
		state["reason"] = e.reason
	}
	out := map[string]any{"id": e.id, "experimentTemplateId": e.template, "state": state, "tags": e.tags}
	actions := map[string]any{}
	if have, ok := f.templates[e.template]["actions"].(map[string]any); ok {
		for name := range have {
			actions[name] = map[string]any{"state": map[string]any{"status": e.now()}}
		}
	}
	out["actions"] = actions
	return out
}

func (f *FIS) start(in map[string]any) (map[string]any, error) {
	id := in["experimentTemplateId"].(string)
	if f.templates[id] == nil {
		return nil, fail("ResourceNotFoundException", "Experiment template %s was not found", id)
	}
	for _, e := range f.experiments {
		if e.token == in["clientToken"].(string) && e.template == id {
			return map[string]any{"experiment": f.describe(e)}, nil
		}
	}
	tags, _ := in["tags"].(map[string]any)
	e := &experiment{
		id: fmt.Sprintf("EXP%08d", len(f.experiments)), template: id, token: in["clientToken"].(string), status: "pending",
		due: time.Now().Add(10 * time.Millisecond), tags: tags,
	}
	f.experiments = append(f.experiments, e)
	return map[string]any{"experiment": f.describe(e)}, nil
}

func (f *FIS) find(in map[string]any) (*experiment, error) {
	for _, e := range f.experiments {
		if e.id == in["id"] {
			return e, nil
		}
	}
	return nil, fail("ResourceNotFoundException", "Experiment %s was not found", in["id"])
}

func (f *FIS) get(in map[string]any) (map[string]any, error) {
	e, err := f.find(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"experiment": f.describe(e)}, nil
}

func (f *FIS) stop(in map[string]any) (map[string]any, error) {
	e, err := f.find(in)
	if err != nil {
		return nil, err
	}
	switch e.now() {
	case "pending", "initiating", "running":
		e.status, e.due = "stopping", time.Now().Add(30*time.Millisecond)
	default:
		return nil, fail("ValidationException", "Experiment %s is %s", e.id, e.status)
	}
	return map[string]any{"experiment": f.describe(e)}, nil
}

// list returns three at a time, so that a client which reads only the first page is found out.
func (f *FIS) list(in map[string]any) (map[string]any, error) {
	from := 0
	if token, ok := in["nextToken"].(string); ok {
		if _, err := fmt.Sscanf(token, "from-%d", &from); err != nil || from > len(f.experiments) {
			return nil, fail("ValidationException", "%s", token)
		}
	}
	to := min(from+3, len(f.experiments))
	page := []any{}
	for _, e := range f.experiments[from:to] {
		page = append(page, map[string]any{"id": e.id, "experimentTemplateId": e.template, "state": map[string]any{"status": e.now()}, "tags": e.tags})
	}
	out := map[string]any{"experiments": page}
	if to < len(f.experiments) {
		out["nextToken"] = fmt.Sprintf("from-%d", to)
	}
	return out, nil
}
