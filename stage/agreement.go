package stage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/playbook"
)

// stage1 is: one place, agreement, and an exercise by hand.
func (a *assessor) stage1() []Criterion {
	return []Criterion{a.singlePlace(), a.agreement(), a.seenByAll(), a.failoverExercise()}
}

func (a *assessor) singlePlace() Criterion {
	var missing []string
	for _, s := range a.pb.Services {
		if s.Value.Uses != "" {
			missing = append(missing, fmt.Sprintf("%s uses %s, which is kept elsewhere and was not resolved", s.ID, s.Value.Uses))
		}
	}
	c := check("single-place", "All prerequisites are kept in one well-defined place", missing,
		fmt.Sprintf("one root, one revision: substance %s", shortDigest(a.digest)), "describe the service in belay.yaml itself")
	c.Stage, c.byPlaybook = 1, true
	return c
}

// shortDigest shows the beginning of a digest.
func shortDigest(digest string) string {
	text := strings.TrimPrefix(digest, "sha256:")
	return text[:min(12, len(text))]
}

// standing is how one role, or one person, stands to the current substance.
type standing struct {
	state State
	why   string
	next  string
	proof string
	// who and lapsed say it apart when it has lapsed: "bob (testing)", "agreed on 2026-11-12: scenarios.x.severity".
	who, lapsed string
}

// judge says what a statement is worth now: met when it is on the current substance and young enough. Whoever made it
// is named by who.
func (a *assessor) judge(s statement, who string) standing {
	switch {
	case s.Substance != a.digest:
		lapsed := fmt.Sprintf("agreed on %s: %s", date(s.at), a.changes(s))
		return standing{state: Stale, proof: s.id, who: who, lapsed: lapsed, why: fmt.Sprintf("changed since %s %s", who, lapsed)}
	case a.now.Sub(s.at) > a.policy.Agreement:
		return standing{state: Expired, proof: s.id, why: fmt.Sprintf("%s agreed on %s, more than %s ago", who, date(s.at), days(a.policy.Agreement))}
	}
	return standing{state: Met, proof: s.id, why: fmt.Sprintf("%s on %s", who, date(s.at))}
}

// lapses says what has lapsed, with the people for whom it is the same in one breath.
type lapses struct {
	order []string
	who   map[string][]string
}

func (l *lapses) add(s standing) {
	if l.who == nil {
		l.who = map[string][]string{}
	}
	if l.who[s.lapsed] == nil {
		l.order = append(l.order, s.lapsed)
	}
	l.who[s.lapsed] = append(l.who[s.lapsed], s.who)
}

func (l *lapses) texts() []string {
	var texts []string
	for _, lapsed := range l.order {
		texts = append(texts, fmt.Sprintf("changed since %s %s", join(l.who[lapsed]), lapsed))
	}
	return texts
}

// changes names the parts that differ from what was signed. The parts are believed only when they are what the signed
// digest is made of.
func (a *assessor) changes(s statement) string {
	if playbook.Parts(s.Parts).Digest() != s.Substance {
		return "the record does not say which parts it had"
	}
	return describe(playbook.Diff(s.Parts, a.substance))
}

func describe(changes []playbook.Change) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = c.Path
		if c.What != "changed" {
			texts[i] += " " + c.What
		}
	}
	return enumerate(texts)
}

// better orders states by how near they are to met.
func better(x, y State) bool { return rank(x) > rank(y) }

func rank(s State) int {
	return slices.Index([]State{Unknown, Unmet, Stale, Expired, Met}, s)
}

func (a *assessor) agreement() Criterion {
	c := Criterion{ID: "agreement", Stage: 1, State: Met, Title: "Development, testing, operations and stakeholders agree on the playbook"}
	var good, bad, open []string
	var lapsed lapses
	for _, role := range a.pb.Agreement.Signers() {
		s := a.role(role)
		c.Evidence = appendProof(c.Evidence, s.proof)
		switch {
		case s.state == Met:
			good = append(good, s.why)
			continue
		case s.why == "":
			open = append(open, string(role))
		case s.lapsed != "":
			lapsed.add(s)
		default:
			bad = append(bad, s.why)
		}
		if better(c.State, s.state) {
			c.State = s.state
		}
		if c.Next == "" {
			c.Next = s.next
		}
	}
	bad = append(lapsed.texts(), bad...)
	if len(open) > 0 {
		bad = append([]string{"nobody has signed for " + join(open)}, bad...)
	}
	for _, d := range a.openDissents() {
		c.State, c.Evidence = Unmet, appendProof(c.Evidence, d.id)
		bad = append(bad, fmt.Sprintf("%s dissents: %s", d.Person, d.Text))
		c.Next = fmt.Sprintf("belay agree --answer %s %q --as NAME --key ~/.ssh/id_ed25519", d.id, "…")
	}
	c.Why = enumerate(bad)
	if len(bad) == 0 {
		c.Why = strings.Join(good, "; ")
	}
	return c
}

func appendProof(evidence []string, id string) []string {
	if id == "" || slices.Contains(evidence, id) {
		return evidence
	}
	return append(evidence, id)
}

// role is how a role stands: the best of what its people said.
func (a *assessor) role(role playbook.Role) standing {
	best := a.unsignedRole(role)
	for _, s := range slices.Backward(a.agreements) {
		if s.Role != string(role) || s.signed != nil || !a.maySign(s.Person, role) {
			continue
		}
		if now := a.judge(s, fmt.Sprintf("%s (%s)", s.Person, role)); better(now.state, best.state) {
			now.next = a.signCommand([]string{s.Person}, role)
			best = now
		}
	}
	return best
}

// maySign says whether the person holds the role and is not kept out as the author.
func (a *assessor) maySign(id string, role playbook.Role) bool {
	person, ok := a.pb.People.Get(id)
	return ok && slices.Contains(person.Roles, role) && (a.pb.Agreement.AuthorMaySign || a.pb.Agreement.Author != id)
}

// unsignedRole is a role for which nobody's signature counts, with the reason; without one nobody has tried.
func (a *assessor) unsignedRole(role playbook.Role) standing {
	out := standing{state: Unmet}
	var holders []string
	for _, p := range a.pb.People {
		if a.maySign(p.ID, role) {
			holders = append(holders, p.ID)
		}
	}
	if len(holders) == 0 {
		out.why = fmt.Sprintf("nobody who may sign holds the role %s", role)
		out.next = fmt.Sprintf("give somebody the role %s under people in belay.yaml", role)
		return out
	}
	out.next = a.signCommand(holders, role)
	for _, s := range slices.Backward(a.agreements) {
		if s.Role == string(role) && s.signed != nil && slices.Contains(holders, s.Person) {
			out.why = fmt.Sprintf("%s agreed for %s, which does not count: %v", s.Person, role, s.signed)
			break
		}
	}
	return out
}

// signCommand is what one of the holders does to sign: the first one who has a key.
func (a *assessor) signCommand(holders []string, role playbook.Role) string {
	for _, id := range holders {
		if a.hasKey(id) {
			return fmt.Sprintf("belay agree --as %s --role %s --key ~/.ssh/id_ed25519", id, role)
		}
	}
	return addKey(holders[0])
}

func (a *assessor) hasKey(id string) bool {
	person, ok := a.pb.People.Get(id)
	return ok && len(person.Keys) > 0
}

func addKey(id string) string {
	return fmt.Sprintf("add the public SSH key of %s to people.%s.keys in belay.yaml", id, id)
}

// join names things as people do: a, b and c.
func join(things []string) string {
	if n := len(things); n > 1 {
		return strings.Join(things[:n-1], ", ") + " and " + things[n-1]
	}
	return strings.Join(things, "")
}

// openDissents are those that nobody has answered with a signature. A dissent itself needs none: it costs little to
// answer a false one and much to overlook a true one. It stays open when the playbook changes.
func (a *assessor) openDissents() []statement {
	var open []statement
	for _, d := range a.dissents {
		answered := slices.ContainsFunc(a.answers, func(s statement) bool {
			return s.Answers == d.id && s.member && s.signed == nil
		})
		if d.member && !answered {
			open = append(open, d)
		}
	}
	return open
}

func (a *assessor) seenByAll() Criterion {
	c := Criterion{ID: "seen", Stage: 1, State: Met, Title: "Every team member has seen the playbook"}
	var good, bad, open []string
	var lapsed lapses
	for _, p := range a.pb.People {
		if p.Value.Rotation != nil {
			continue // a calendar, not a person
		}
		s := a.person(p.ID)
		c.Evidence = appendProof(c.Evidence, s.proof)
		switch {
		case s.state == Met:
			good = append(good, p.ID)
			continue
		case s.proof == "":
			open = append(open, p.ID)
		case s.lapsed != "":
			lapsed.add(s)
		default:
			bad = append(bad, s.why)
		}
		if better(c.State, s.state) {
			c.State = s.state
		}
		if c.Next == "" {
			if c.Next = addKey(p.ID); a.hasKey(p.ID) {
				c.Next = fmt.Sprintf("belay agree --seen --as %s --key ~/.ssh/id_ed25519", p.ID)
			}
		}
	}
	bad = append(lapsed.texts(), bad...)
	if len(open) > 0 {
		bad = append([]string{"not yet seen or signed by " + join(open)}, bad...)
	}
	switch {
	case len(bad) > 0:
		c.Why = enumerate(bad)
	case len(good) == 0:
		c.State, c.Why, c.Next = Unmet, "nobody is written down under people", "add the team to people in belay.yaml"
	default:
		c.Why = strings.Join(good, ", ")
	}
	return c
}

// person is how a team member stands: the best of what was signed or seen.
func (a *assessor) person(id string) standing {
	best := standing{state: Unmet, why: "has neither seen nor signed it"}
	for _, s := range slices.Concat(a.seen, a.agreements) {
		if s.Person != id || s.signed != nil {
			continue
		}
		if now := a.judge(s, id); !better(best.state, now.state) {
			best = now
		}
	}
	return best
}
