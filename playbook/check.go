package playbook

import (
	"fmt"
	"slices"
	"strings"
)

// checker is the second pass: it checks what refers to something else, over the typed playbook. What a first mistake made
// unreliable is passed over in silence.
type checker struct {
	*loader
	pb *Playbook
}

// wrong notes a mistake at a path, at the place of the path.
func (c *checker) wrong(path, message, hint string) { c.fail(c.nearestPos(path), path, message, hint) }

// unsure says whether belay.yaml's table of that name could not be read.
func (c *checker) unsure(table string) bool { return c.bad[""] || c.bad[table] }

// all runs every check.
func (c *checker) all() {
	if !c.bad[""] {
		c.application()
		for _, row := range c.pb.Environments {
			c.environment("environments."+row.ID, row.ID, row.Value)
		}
		for _, row := range c.pb.Services {
			c.service("services."+row.ID, row.ID, row.Value)
		}
		for _, row := range c.pb.People {
			c.person("people."+row.ID, row.Value)
		}
		for _, row := range c.pb.Vendors {
			c.vendor("vendors."+row.ID, row.Value)
		}
		for i, n := range c.pb.Notifications {
			c.notification(fmt.Sprintf("notifications[%d]", i), n)
		}
		for _, row := range c.pb.Actions {
			c.action("actions."+row.ID, row.Value)
		}
		c.ref("agreement.author", "person", c.pb.Agreement.Author, "people", c.pb.People.IDs())
		c.cycles()
	}
	for _, row := range c.pb.Scenarios {
		if !c.bad[ScenarioDir+"."+row.ID] {
			c.scenario(ScenarioDir+"."+row.ID, row.ID, row.Value)
		}
	}
	c.calls()
	c.placeholders()
}

// ref checks a reference to a row of a table.
func (c *checker) ref(path, what, id, table string, ids []string) {
	if id == "" || c.bad[path] || c.unsure(table) || slices.Contains(ids, id) {
		return
	}
	c.wrong(path, fmt.Sprintf("unknown %s %q", what, short(id)), didYouMean(id, ids))
}

// refs checks a list of references, and that none is there twice.
func (c *checker) refs(path, what string, ids []string, table string, known []string) {
	for i, id := range ids {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.ref(at, what, id, table, known)
		if slices.Contains(ids[:i], id) && !c.bad[at] {
			c.wrong(at, fmt.Sprintf("%q is in the list already", short(id)), "remove it")
		}
	}
}

// serviceRefs checks references to services; "all" stands for every one.
func (c *checker) serviceRefs(path string, ids []string) {
	if len(ids) != 1 || ids[0] != "all" {
		c.refs(path, "service", ids, "services", c.pb.Services.IDs())
	}
}

// severity checks a level of the scale.
func (c *checker) severity(path, level string) {
	c.ref(path, "severity", level, "severities", c.pb.Scale().IDs())
}

// contacts checks the people, vendors and roles that a message goes to.
func (c *checker) contacts(path string, ids []string) {
	if c.unsure("vendors") {
		return
	}
	known := slices.Concat(c.pb.People.IDs(), c.pb.Vendors.IDs(), texts(Roles()...))
	c.refs(path, "person, vendor or role", ids, "people", known)
}

// notEmpty checks that something that must have entries has one.
func (c *checker) notEmpty(path string, n int, what string) {
	if n == 0 && !c.bad[path] && !c.bad[""] {
		c.wrong(path, "names no "+what, "")
	}
}

func (c *checker) application() {
	if !c.bad["application"] && !isIdentifier(c.pb.Application) {
		c.wrong("application", fmt.Sprintf("%q is no short name", shown(c.pb.Application)), "up to 64 letters, digits, - and _, beginning with a letter or digit")
	}
	c.notEmpty("environments", len(c.pb.Environments), "environment")
	c.notEmpty("services", len(c.pb.Services), "service")
	c.notEmpty("people", len(c.pb.People), "person")
	for i, role := range c.pb.Agreement.Roles {
		if slices.Contains(c.pb.Agreement.Roles[:i], role) && role != "" {
			c.wrong(fmt.Sprintf("agreement.roles[%d]", i), fmt.Sprintf("%q is in the list already", role), "remove it")
		}
	}
}

// service checks one service.
func (c *checker) service(path, id string, s Service) {
	if s.Critical.Level == "" && s.Uses == "" && !c.hurt[path+".critical"] && !c.bad[path+".critical"] && !c.bad[path] {
		c.wrong(path, `missing required key "critical"`, "always, never, unknown, or a period")
	}
	c.refs(path+".needs", "service", s.Needs, "services", c.pb.Services.IDs())
	for i, need := range s.Needs {
		if need == id {
			c.wrong(fmt.Sprintf("%s.needs[%d]", path, i), "a service cannot need itself", "remove it")
		}
	}
	c.ref(path+".standby", "service", s.Standby, "services", c.pb.Services.IDs())
	if s.Standby == id && id != "" {
		c.wrong(path+".standby", "a service cannot stand by for itself", "name the service that takes over")
	}
	c.severity(path+".severity", s.Severity)
	if s.Uses != "" && !c.bad[path+".uses"] && !isContract(s.Uses) {
		c.wrong(path+".uses", fmt.Sprintf("%q names no service of another team", short(s.Uses)), "write team/service@version, for example platform/orders-pg@v3")
	}
}

// isContract says whether a text is team/service@version.
func isContract(text string) bool {
	name, version, hasVersion := strings.Cut(text, "@")
	team, service, hasTeam := strings.Cut(name, "/")
	return hasVersion && hasTeam && isIdentifier(team) && isIdentifier(service) && isIdentifier(strings.ReplaceAll(version, ".", "-"))
}

// action checks one action and its bindings.
func (c *checker) action(path string, a Action) {
	if len(a.Bindings) == 0 && !c.hurt[path] {
		c.wrong(path, "is bound to no environment", "add a key with the name of an environment: "+listed(c.pb.Environments.IDs()))
	}
	for _, row := range a.Bindings {
		at := join(path, row.ID)
		env, known := c.pb.Environments.Get(row.ID)
		if !known {
			c.bindingKey(path, row.ID)
			continue
		}
		b := row.Value
		var kinds []string
		for _, k := range []struct {
			key string
			set bool
		}{{"run", b.Run != nil}, {"shell", b.Shell != ""}, {"manual", b.Manual != ""}, {"check", b.Check != nil}} {
			if k.set {
				kinds = append(kinds, k.key)
			}
		}
		if len(kinds) != 1 && !c.hurt[at] {
			c.wrong(at, "needs exactly one of run, shell, manual and check, got "+listed(kinds), "")
		}
		c.command(at+".run", b.Run)
		c.address(at+".where", b.Where)
		c.captures(at+".capture", b.Capture)
		if !c.unsure("environments") && !c.bad["environments."+row.ID+".secrets"] {
			c.refs(at+".secrets", "secret of the environment", b.Secrets, "environments", env.Secrets.IDs())
		}
	}
}

// bindingKey notes a key of an action that is neither one of its own nor an environment. It was read as a binding: what was
// wrong with it as one, and the key of its own that was meant and is missing, only follow from this mistake.
func (c *checker) bindingKey(action, key string) {
	if c.unsure("environments") {
		return
	}
	path := join(action, key)
	own := []string{"text", "note", "expect", "repeat", "timeout"}
	known := append(c.pb.Environments.IDs(), own...)
	meant := nearest(key, known)
	pos, ok := c.keys[path]
	if !ok {
		pos = c.nearestPos(path)
	}
	c.errs = slices.DeleteFunc(c.errs, func(e Error) bool {
		return e.Path == path || strings.HasPrefix(e.Path, path+".") || strings.HasPrefix(e.Path, path+"[") ||
			e.Path == action && meant != "" && e.Message == missingKey(meant)
	})
	if slices.Contains(own, meant) {
		c.fail(pos, path, fmt.Sprintf("unknown key %q", key), didYouMean(key, known))
		return
	}
	c.fail(pos, path, fmt.Sprintf("unknown key %q: it is no environment", key), didYouMean(key, known))
}

// command checks an argument list.
func (c *checker) command(path string, args []string) {
	if args != nil && !c.hurt[path] && (len(args) == 0 || strings.TrimSpace(args[0]) == "") {
		c.wrong(path, "the command is empty", "write the program and its arguments as a list")
	}
}

// cycles finds services that need each other and people who report to each other. Each cycle is told once.
func (c *checker) cycles() {
	needs, bosses := map[string][]string{}, map[string][]string{}
	for _, row := range c.pb.Services {
		needs[row.ID] = row.Value.Needs
	}
	for _, row := range c.pb.People {
		bosses[row.ID] = []string{row.Value.ReportsTo}
	}
	c.eachCycle(c.pb.Services.IDs(), needs, func(trail []string) {
		at := slices.Index(needs[trail[0]], trail[1])
		c.wrong(fmt.Sprintf("services.%s.needs[%d]", trail[0], at), "the services need each other in a circle: "+strings.Join(trail, " -> "), "")
	})
	c.eachCycle(c.pb.People.IDs(), bosses, func(trail []string) {
		c.wrong("people."+trail[0]+".reports_to", "the people report to each other in a circle: "+strings.Join(trail, " -> "), "")
	})
}

// calls finds scenarios that call each other.
func (c *checker) calls() {
	calls := map[string][]string{}
	for _, row := range c.pb.Scenarios {
		calls[row.ID] = row.Value.Calls()
	}
	c.eachCycle(c.pb.Scenarios.IDs(), calls, func(trail []string) {
		s, _ := c.pb.Scenarios.Get(trail[0])
		for _, p := range s.Procedures() {
			for i, step := range p.Steps {
				if step.Call == trail[1] {
					c.wrong(fmt.Sprintf("%s.%s.%s[%d].call", ScenarioDir, trail[0], p.Name, i), "the scenarios call each other in a circle: "+strings.Join(trail, " -> "), "")
					return
				}
			}
		}
	})
}

// eachCycle calls found once for each cycle, from its first node in the order given. A node that leads to itself has a message of
// its own and is passed over.
func (c *checker) eachCycle(ids []string, edges map[string][]string, found func(trail []string)) {
	next := func(id string) []string {
		return slices.DeleteFunc(slices.Clone(edges[id]), func(n string) bool { return n == id })
	}
	told := map[string]bool{}
	for _, id := range ids {
		if told[id] {
			continue
		}
		if trail := cycle(id, next); trail != nil {
			for _, t := range trail {
				told[t] = true
			}
			found(trail)
		}
	}
}
