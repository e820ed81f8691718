package playbook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Procedure is one of a scenario's lists of steps.
type Procedure struct {
	// Name is its key: recovery, test, resume or backout.
	Name  string
	Steps []Step
}

// Procedures are the scenario's lists of steps in the order in which they are carried out; the backout, which is only for an
// interrupted recovery, comes last.
func (s *Scenario) Procedures() []Procedure {
	return []Procedure{{"recovery", s.Recovery}, {"test", s.Test}, {"resume", s.Resume}, {"backout", s.Backout}}
}

// Calls are the scenarios that the steps call, in order, each once.
func (s *Scenario) Calls() []string {
	var out []string
	for _, p := range s.Procedures() {
		for _, step := range p.Steps {
			if step.Call != "" && !slices.Contains(out, step.Call) {
				out = append(out, step.Call)
			}
		}
	}
	return out
}

// Kinds are the keys of the step that say what it is. A valid step has exactly one.
func (s Step) Kinds() []string {
	var out []string
	for _, k := range []struct {
		key string
		set bool
	}{
		{"manual", s.Manual != ""},
		{"use", s.Use != ""},
		{"run", s.Run != nil},
		{"shell", s.Shell != ""},
		{"check", s.Check != nil},
		{"ask", s.Ask != ""},
		{"approve", s.Approve != ""},
		{"wait", s.Wait != 0},
		{"notify", s.Notify != ""},
		{"call", s.Call != ""},
	} {
		if k.set {
			out = append(out, k.key)
		}
	}
	return out
}

// scenario checks one scenario.
func (c *checker) scenario(path, id string, s Scenario) {
	c.refs(path+".covers", "service", s.Covers, "services", c.pb.Services.IDs())
	for _, list := range []struct {
		key, what string
		n         int
	}{{"covers", "service", len(s.Covers)}, {"recovery", "step", len(s.Recovery)}, {"test", "step", len(s.Test)}} {
		if at := join(path, list.key); list.n == 0 && !c.hurt[at] && !c.bad[at] {
			c.wrong(at, "names no "+list.what, "")
		}
	}
	c.ref(path+".leads.primary", "person", s.Leads.Primary, "people", c.pb.People.IDs())
	c.ref(path+".leads.secondary", "person", s.Leads.Secondary, "people", c.pb.People.IDs())
	c.severity(path+".severity", s.Severity)
	if s.RTO == 0 && !c.bad[path+".rto"] {
		c.wrong(path+".rto", "must be longer than zero", "")
	}
	if s.Fault != nil {
		c.address(path+".fault.where", s.Fault.Where)
	}
	first := map[string]string{}
	for _, p := range s.Procedures() {
		for i, step := range p.Steps {
			at := fmt.Sprintf("%s.%s[%d]", path, p.Name, i)
			c.stepID(at+".id", step.ID, first)
			c.step(at, step)
			c.jumps(at, p, i)
			if step.Call == id && !c.bad[at+".call"] {
				c.wrong(at+".call", "a scenario cannot call itself", "")
			}
		}
	}
}

// stepID checks that a step's name is one, and is the only one of its kind in the scenario.
func (c *checker) stepID(path, id string, first map[string]string) {
	if c.bad[path] {
		return
	}
	switch {
	case !isIdentifier(id):
		c.wrong(path, fmt.Sprintf("%q is no identifier", shown(id)), "up to 64 letters, digits, - and _, beginning with a letter or digit")
	case slices.Contains(texts(Next, ToResume, Stop), id):
		c.wrong(path, fmt.Sprintf("a step cannot be called %q: it is the name of a jump", id), "choose another name")
	case first[id] != "":
		c.wrong(path, fmt.Sprintf("duplicate step %q", id), fmt.Sprintf("the first one is at %s", c.nearestPos(first[id])))
	default:
		first[id] = path
	}
}

// step checks one step by itself.
func (c *checker) step(at string, s Step) {
	kinds := s.Kinds()
	if _, given := c.positions[at+".wait"]; given && s.Wait == 0 && !c.bad[at+".wait"] {
		c.wrong(at+".wait", "must be longer than zero", "")
	}
	if len(kinds) != 1 && !c.hurt[at] {
		hint := "make two steps of it"
		switch {
		case len(kinds) == 0:
			hint = "one of: manual, use, run, shell, check, ask, approve, wait, notify, call"
		case slices.Equal(kinds, []string{"check", "ask"}):
			hint = "put the check into an option, as its if"
		case s.Check != nil:
			hint = "what must be seen after a step is its expect"
		}
		c.wrong(at, "a step has exactly one kind, got "+listed(kinds), hint)
	}
	c.ref(at+".use", "action", s.Use, "actions", c.pb.Actions.IDs())
	c.callRef(at+".call", s.Call)
	c.contacts(at+".to", s.To)
	c.by(at+".by", s.By)
	c.command(at+".run", s.Run)
	c.address(at+".where", s.Where)
	c.captures(at+".capture", s.Capture)
	if s.Retry < 0 && !c.bad[at+".retry"] {
		c.wrong(at+".retry", "cannot be negative", "")
	}
	if len(kinds) != 1 && !c.hurt[at] {
		return
	}
	c.belongs(at, "options", len(s.Options) > 0, s.Ask != "", "ask")
	c.belongs(at, "to", len(s.To) > 0, s.Notify != "", "notify")
	c.belongs(at, "if", s.If != nil, s.Optional, "optional: true")
	c.belongs(at, "capture", len(s.Capture) > 0, s.Run != nil || s.Shell != "" || s.Use != "" || s.Check != nil || s.Manual != "", "run, shell, use, check or manual")
	if s.Ask != "" && len(s.Options) == 0 && !c.hurt[at] {
		c.wrong(at, "a decision needs options", "add options: {name: jump}")
	}
	c.then(at, s)
}

// then checks that a jump is not where nobody would follow it. On a decision, failed still says where to go when no option holds.
func (c *checker) then(at string, s Step) {
	path := c.written(at+".then", at+".then.ok")
	switch {
	case c.hurt[at+".then"]:
	case s.Ask != "" && s.Then.OK != "":
		c.wrong(path, "then has no meaning on a decision: its options say where to go", "write the jump into an option, such as options: {done: resume}")
	case s.Call != "" && s.Then != (Then{}):
		c.wrong(at+".then", "then has no meaning on a call: the step after it comes next", "put the jump on a step of its own after the call")
	}
}

// belongs checks that a key is only there beside the one it needs.
func (c *checker) belongs(at, key string, given, allowed bool, with string) {
	if path := join(at, key); given && !allowed && !c.hurt[at] {
		c.wrong(path, fmt.Sprintf("%s has no meaning without %s", key, with), "")
	}
}

// callRef checks a reference to a scenario, which is a name and never a path.
func (c *checker) callRef(path, id string) {
	if id == "" || c.bad[path] {
		return
	}
	if strings.ContainsAny(id, "/\\") || strings.Contains(id, "..") {
		c.wrong(path, fmt.Sprintf("%q is a path; a scenario is called by its name", short(id)), didYouMean(lastName(id), c.pb.Scenarios.IDs()))
		return
	}
	if !c.bad[ScenarioDir] {
		if _, ok := c.pb.Scenarios.Get(id); !ok {
			c.wrong(path, fmt.Sprintf("unknown scenario %q", short(id)), didYouMean(id, c.pb.Scenarios.IDs()))
		}
	}
}

// lastName is what a path would be called as a scenario.
func lastName(path string) string {
	return strings.TrimSuffix(path[strings.LastIndexAny(path, "/\\")+1:], ".yaml")
}

// by checks who does a step: a role or a person.
func (c *checker) by(path, who string) {
	c.ref(path, "role or person", who, "people", append(texts(Roles()...), c.pb.People.IDs()...))
}

// address checks a place such as ssh://host.
func (c *checker) address(path, where string) {
	if where == "" || c.bad[path] || strings.HasPrefix(where, "${") {
		return
	}
	scheme, rest, ok := strings.Cut(where, "://")
	if !ok || !isIdentifier(scheme) || strings.TrimSpace(rest) == "" {
		c.wrong(path, fmt.Sprintf("%q is no place", short(where)), "write a URL such as ssh://host, or leave it out for here")
	}
}

// captures checks where values are taken from.
func (c *checker) captures(path string, t Table[Capture]) {
	for _, row := range t {
		at := join(path, row.ID)
		switch {
		case c.hurt[at]:
		case !isName(row.ID):
			c.wrong(at, fmt.Sprintf("%q cannot be the name of a placeholder", row.ID), "begin with a letter")
		case slices.Contains(Builtins(), row.ID):
			c.wrong(at, fmt.Sprintf("${%s} has a meaning of its own and cannot be captured", row.ID), "choose another name")
		case row.Value.JSON != "" && row.Value.Regexp != "":
			c.wrong(at, "needs one of json and regexp, not both", "")
		case row.Value.JSON != "":
			if err := checkJSONPath(row.Value.JSON); err != nil {
				c.wrong(c.written(at, at+".json"), err.Error(), "write for example $.Instances[0].InstanceId")
			}
		case row.Value.Regexp != "":
			c.pattern(at+".regexp", row.Value.Regexp)
		}
	}
}

// written is the longer of two paths if it was written, and else the shorter: a short form has no inner path.
func (c *checker) written(shorter, longer string) string {
	if _, ok := c.positions[longer]; ok {
		return longer
	}
	return shorter
}

func (c *checker) pattern(path, pattern string) {
	r, err := regexp.Compile(pattern)
	if err != nil {
		message := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		c.wrong(path, "not a regular expression: "+shown(message), "")
		return
	}
	if n := r.NumSubexp(); n != 1 {
		c.wrong(path, fmt.Sprintf("the regular expression has %d groups; it needs exactly one, which is the value", n), "use (?:...) for the others")
	}
}

// checkJSONPath checks a path such as $.a[0].b or $['a b'].c: names and indexes only.
func checkJSONPath(path string) error {
	wrong := fmt.Errorf("%q is no JSON path", short(path))
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return wrong
	}
	for rest != "" {
		var inner string
		switch {
		case rest[0] == '.':
			end := 1 + strings.IndexAny(rest[1:]+".", ".[")
			inner, rest = rest[1:end], rest[end:]
			if inner == "" || strings.ContainsAny(inner, "]'\"*@?$ ") {
				return wrong
			}
		case strings.HasPrefix(rest, "['"):
			if inner, rest, ok = strings.Cut(rest[2:], "']"); !ok || inner == "" {
				return wrong
			}
		case rest[0] == '[':
			if inner, rest, ok = strings.Cut(rest[1:], "]"); !ok || inner == "" || len(inner) > 9 || strings.Trim(inner, "0123456789") != "" {
				return wrong
			}
		default:
			return wrong
		}
	}
	return nil
}

// jumps checks that a step's jumps go forward to a step that is there.
func (c *checker) jumps(at string, p Procedure, i int) {
	s := p.Steps[i]
	c.jump(c.written(at+".then", at+".then.ok"), s.Then.OK, p, i)
	c.jump(at+".then.failed", s.Then.Failed, p, i)
	for _, o := range s.Options {
		inside := at + ".options." + o.ID
		c.jump(c.written(inside, inside+".goto"), o.Value.Goto, p, i)
	}
}

func (c *checker) jump(path string, j Jump, p Procedure, i int) {
	if j == "" || j == Next || j == Stop || c.hurt[path] {
		return
	}
	if j == ToResume {
		if p.Name == "resume" || p.Name == "backout" {
			c.wrong(path, fmt.Sprintf("the %s procedure cannot jump to resume", p.Name), "use next or stop")
		}
		return
	}
	var later []string
	for k, step := range p.Steps {
		switch {
		case k > i:
			later = append(later, step.ID)
		case step.ID == string(j):
			c.wrong(path, fmt.Sprintf("a jump to %q goes backwards", short(string(j))), "jumps go forward only; use retry to try a step again")
			return
		}
	}
	if !slices.Contains(later, string(j)) {
		c.wrong(path, fmt.Sprintf("unknown step %q", short(string(j))), didYouMean(string(j), append(later, texts(Next, ToResume, Stop)...)))
	}
}
