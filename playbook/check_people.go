package playbook

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// environment checks one environment.
func (c *checker) environment(path, id string, e Environment) {
	if slices.Contains([]string{"text", "note", "expect", "repeat", "timeout"}, id) {
		c.wrong(path, fmt.Sprintf("an environment cannot be called %q: it is a key of every action", id), "choose another name")
	}
	for _, row := range e.Vars {
		at := path + ".vars." + row.ID
		switch {
		case c.bad[at]:
		case slices.Contains(Builtins(), row.ID):
			c.wrong(at, fmt.Sprintf("${%s} has a meaning of its own and cannot be a variable", row.ID), "choose another name")
		case !isName(row.ID):
			c.wrong(at, fmt.Sprintf("%q cannot be the name of a variable", row.ID), "begin with a letter")
		case strings.Contains(row.Value, "${") && !strings.Contains(row.Value, "$${"):
			c.wrong(at, "a variable cannot use a placeholder", "write the value out")
		}
	}
	if a := e.Approvals; a != nil && !c.bad[path+".approvals.count"] && a.Count < 1 && !c.hurt[path+".approvals"] {
		c.wrong(path+".approvals.count", "must be at least 1", "leave approvals out when none are needed")
	}
	for i, f := range e.Freeze {
		c.freeze(fmt.Sprintf("%s.freeze[%d]", path, i), f)
	}
	for _, row := range e.Secrets {
		c.secret(path+".secrets."+row.ID, row.Value)
	}
	c.pace(path+".measure", e.Measure)
}

// freeze checks a span of dates.
func (c *checker) freeze(path string, f Freeze) {
	if c.hurt[path] {
		return
	}
	from, err := ParseDate(f.From)
	if err != nil {
		c.wrong(path+".from", err.Error(), "write 2026-12-20 or 2026-12-20T00:00:00Z")
	}
	until, err := ParseDate(f.Until)
	if err != nil {
		c.wrong(path+".until", err.Error(), "write 2027-01-02 or 2027-01-02T00:00:00Z")
	}
	if !c.hurt[path] && !until.After(from) && until.Format(time.DateOnly) != f.Until {
		c.wrong(path+".until", "the freeze ends before it begins", "")
	} else if !c.hurt[path] && until.Before(from) {
		c.wrong(path+".until", "the freeze ends before it begins", "")
	}
}

// ParseDate reads RFC 3339 or YYYY-MM-DD (midnight in UTC).
func ParseDate(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no date", short(text))
	}
	return t, nil
}

// secret checks where a secret is found.
func (c *checker) secret(path string, s SecretRef) {
	if c.hurt[path] {
		return
	}
	if (s.File == "") == (s.Env == "") {
		c.wrong(path, "needs exactly one of file and env", "")
		return
	}
	if s.File != "" && slices.Contains(strings.Split(s.File, "/"), "..") {
		c.wrong(path+".file", "the path leads upwards with ..", "write the whole path")
	}
	if s.Env != "" && (!isName(s.Env) || strings.Contains(s.Env, "-")) {
		c.wrong(path+".env", fmt.Sprintf("%q cannot be the name of an environment variable", short(s.Env)), "letters, digits and _ only")
	}
}

// pace checks that the pace can prove what it is for.
func (c *checker) pace(path string, p Pace) {
	for _, f := range []struct {
		key   string
		value Duration
	}{{"period", p.Period}, {"timeout", p.Timeout}, {"window", p.Window}, {"baseline", p.Baseline}, {"time_box", p.TimeBox}} {
		at := join(path, f.key)
		if _, given := c.positions[at]; given && f.value == 0 && !c.bad[at] {
			c.wrong(at, "must be longer than zero", "")
		}
	}
	if c.hurt[path] || p.Window == 0 {
		return
	}
	full := p.OrDefault()
	if full.Window < full.leastWindow() {
		c.wrong(path+".window", fmt.Sprintf("%s is shorter than the timeout (%s) and two periods (%s each)", full.Window, full.Timeout, full.Period), fmt.Sprintf("at least %s", full.leastWindow()))
	}
}

// person checks one team member.
func (c *checker) person(path string, p Person) {
	if id := strings.TrimPrefix(path, "people."); slices.Contains(texts(Roles()...), id) {
		c.wrong(path, fmt.Sprintf("a person cannot be called %q: it is a role", id), "choose another name")
	}
	c.email(path+".email", p.Email)
	c.serviceRefs(path+".services", p.Services)
	if p.ReportsTo != "" && path == "people."+p.ReportsTo {
		c.wrong(path+".reports_to", "a person cannot report to themselves", "remove it")
	}
	c.ref(path+".reports_to", "person", p.ReportsTo, "people", c.pb.People.IDs())
	if p.Rotation != nil {
		c.link(path+".rotation.ical", p.Rotation.ICal, "https", "http", "webcal", "file")
	}
	for i, key := range p.Keys {
		at := fmt.Sprintf("%s.keys[%d]", path, i)
		if c.bad[at] {
			continue
		}
		if _, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(key)); err != nil || len(rest) > 0 {
			hint := "paste the one line of the .pub file, such as ssh-ed25519 AAAA..."
			if strings.Contains(key, "PRIVATE KEY") {
				hint = "this is a private key: take it out of the repository and make a new one"
			}
			c.wrong(at, "is no public SSH key", hint)
		}
	}
}

// vendor checks one third party.
func (c *checker) vendor(path string, v Vendor) {
	if _, twice := c.pb.People.Get(strings.TrimPrefix(path, "vendors.")); twice {
		c.wrong(path, "a person has the same identifier", "rename one of them")
	}
	c.email(path+".email", v.Email)
	c.serviceRefs(path+".services", v.Services)
	c.link(path+".url", v.URL, "https", "http")
}

// notification checks one rule of who is told what.
func (c *checker) notification(path string, n Notification) {
	c.contacts(path+".who", n.Who)
	c.notEmpty(path+".who", len(n.Who), "person")
	if c.bad[path+".when"] {
		return
	}
	condition, err := ParseCondition(n.When)
	if err != nil {
		c.wrong(path+".when", err.Error(), "write always, or for example severity >= critical")
		return
	}
	c.severity(path+".when", condition.Severity)
}

// email checks that a text looks like an address.
func (c *checker) email(path, address string) {
	if address == "" || c.bad[path] {
		return
	}
	name, domain, ok := strings.Cut(address, "@")
	labels := strings.Split(domain, ".")
	if !ok || name == "" || strings.ContainsAny(address, " \t\n<>,;:\"()") || strings.Contains(domain, "@") || len(labels) < 2 || slices.Contains(labels, "") {
		c.wrong(path, fmt.Sprintf("%q is no e-mail address", short(address)), "name@example.com")
	}
}

// link checks a URL and its scheme. One with a placeholder is checked when its value is known.
func (c *checker) link(path, text string, schemes ...string) {
	if text == "" || c.bad[path] || strings.Contains(text, "${") {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Scheme != "file" {
		c.wrong(path, fmt.Sprintf("%q is no URL", short(text)), "write it whole, such as "+schemes[0]+"://example.com/")
		return
	}
	if !slices.Contains(schemes, u.Scheme) {
		c.wrong(path, fmt.Sprintf("a URL here cannot begin with %s:", short(u.Scheme)), "one of: "+strings.Join(schemes, ", "))
	}
}
