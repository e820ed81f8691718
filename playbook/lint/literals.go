package lint

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/belay-dr/belay/playbook"
)

// Identifiers that a cloud gives to one resource and never again, and addresses.
var (
	resourceID = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\b(?:i|ami|sg|subnet|vpc|vol|snap|eni|eipalloc|rtb|igw|lt|r)-[0-9a-f]{8,17}\b`)
	})
	hostName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\b(?:ec2|ip)-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}\b[\w.-]*`)
	})
	accountID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b\d{12}\b`) })
	ipv4      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`) })
	ipv6      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*`) })
)

// literals looks at what steps and actions do, in all environments. Examples and notes may show anything.
func literals(p *pass) {
	p.eachStep(func(pr procedure, i int, step *playbook.Step) {
		own := *step
		own.Use = ""
		p.literalsIn(p.texts(pr.path(i), &own, ""))
	})
	for i := range p.pb.Actions {
		row := &p.pb.Actions[i]
		p.literalsIn(append(actionTexts("actions."+row.ID, &row.Value, ""), text{path: "actions." + row.ID + ".text", text: row.Value.Text}))
	}
}

func (p *pass) literalsIn(texts []text) {
	for _, t := range texts {
		for _, f := range findLiterals(t.text) {
			p.report(t.path, "%s %s is written out", f.what, f.value)
		}
	}
}

// literal is something that names one thing for good.
type literal struct{ what, value string }

// findLiterals returns each literal of a text once.
func findLiterals(s string) []literal {
	var found []literal
	add := func(what string, values []string) {
		for _, v := range values {
			if l := (literal{what, v}); !slices.Contains(found, l) {
				found = append(found, l)
			}
		}
	}
	add("resource", resourceID().FindAllString(s, -1))
	add("host name", hostName().FindAllString(s, -1))
	add("account", accountID().FindAllString(s, -1))
	add("address", addresses(ipv4().FindAllString(s, -1)))
	add("address", addresses(ipv6().FindAllString(s, -1)))
	return found
}

// addresses keeps what is an address of one machine: not loopback, and not the unspecified one, which mean this machine.
func addresses(words []string) []string {
	var kept []string
	for _, w := range words {
		w = strings.TrimRight(w, ".:")
		addr, err := netip.ParseAddr(w)
		if err == nil && !addr.IsLoopback() && !addr.IsUnspecified() {
			kept = append(kept, w)
		}
	}
	return kept
}
