package lint

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/belay-dr/belay/playbook"
)

// text is one string of a step or of the action that it uses, with its place. After says that it is read when the step has
// been carried out.
type text struct {
	path, text string
	after      bool
}

// texts are the strings that decide what a step does in an environment: not its note and not its example.
func (p *pass) texts(path string, step *playbook.Step, env string) []text {
	out := []text{
		{path: path + ".manual", text: step.Manual},
		{path: path + ".shell", text: step.Shell},
		{path: path + ".ask", text: step.Ask},
		{path: path + ".approve", text: step.Approve},
		{path: path + ".notify", text: step.Notify},
		{path: path + ".where", text: step.Where},
		{path: path + ".text", text: step.Text},
	}
	for i, arg := range step.Run {
		out = append(out, text{path: fmt.Sprintf("%s.run[%d]", path, i), text: arg})
	}
	out = append(out, specTexts(path+".check", step.Check, false)...)
	out = append(out, specTexts(path+".if", step.If, false)...)
	out = append(out, specTexts(path+".expect", step.Expect, true)...)
	for _, o := range step.Options {
		at := path + ".options." + o.ID
		out = append(out, text{path: at + ".text", text: o.Value.Text})
		out = append(out, specTexts(at+".if", o.Value.If, false)...)
	}
	if action, ok := p.pb.Actions.Get(step.Use); ok {
		// A placeholder of an action is missing where the action is used.
		for _, t := range actionTexts("actions."+step.Use, action, env) {
			t.path = path + ".use"
			out = append(out, t)
		}
	}
	return out
}

// actionTexts are the strings of an action and of its binding in the environment; of all bindings when it is empty.
func actionTexts(path string, action *playbook.Action, env string) []text {
	out := specTexts(path+".expect", action.Expect, true)
	for i := range action.Bindings {
		row := &action.Bindings[i]
		if env != "" && row.ID != env {
			continue
		}
		at, b := path+"."+row.ID, row.Value
		out = append(out, text{path: at + ".shell", text: b.Shell}, text{path: at + ".manual", text: b.Manual},
			text{path: at + ".where", text: b.Where})
		for j, arg := range b.Run {
			out = append(out, text{path: fmt.Sprintf("%s.run[%d]", at, j), text: arg})
		}
		out = append(out, specTexts(at+".check", b.Check, false)...)
		out = append(out, specTexts(at+".expect", b.Expect, true)...)
	}
	return out
}

// specTexts are the strings inside a spec whose type belongs to another room, with the place of the spec.
func specTexts(path string, spec *playbook.Spec, after bool) []text {
	if spec == nil {
		return nil
	}
	encoded, err := json.Marshal(spec.Config)
	if err != nil {
		return nil
	}
	var value any
	if json.Unmarshal(encoded, &value) != nil {
		return nil
	}
	var out []text
	for _, s := range append(leaves(value), spec.Where) {
		out = append(out, text{path: path, text: s, after: after})
	}
	return out
}

// leaves are the strings in a decoded JSON value, keys of objects in order.
func leaves(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, leaves(e)...)
		}
		return out
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		var out []string
		for _, k := range keys {
			out = append(out, leaves(v[k])...)
		}
		return out
	}
	return nil
}
