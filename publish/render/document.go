package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
	"github.com/belay-dr/belay/playbook/roster"
)

// document is what is shown, in order, without saying how it is set.
type document struct {
	Title, Team, Summary string
	// Digest is that of the substance: what the team agrees to.
	Digest string
	// Environment is the one that commands are shown for; empty for all.
	Environment string
	Sections    []section
}

// section is a chapter with a heading. A scenario begins on a new page.
type section struct {
	ID, Title string
	Scenario  bool
	Blocks    []block
}

// block is one part of a section: exactly one field is set.
type block struct {
	Heading string
	Para    string
	Bullets []string
	Table   *table
	Graph   *graph
	Steps   []step
}

// table is a table with as many cells in each row as in its header. Wide ones are set small.
type table struct {
	Header []string
	Rows   [][]cell
	Wide   bool
	// Facts is a table of two columns without a header: what, and what it is.
	Facts bool
}

// cell is a text, which may be a link and may be set as code.
type cell struct {
	Text string
	Link string
	Code bool
}

func plain(texts ...string) []cell {
	cells := make([]cell, len(texts))
	for i, t := range texts {
		cells[i] = cell{Text: t}
	}
	return cells
}

// builder makes the document of one playbook.
type builder struct {
	pb   *playbook.Playbook
	opts Options
	env  *playbook.Environment
}

func newDocument(pb *playbook.Playbook, opts Options) (document, error) {
	b := &builder{pb: pb, opts: opts}
	if opts.Environment != "" {
		env, ok := pb.Environments.Get(opts.Environment)
		if !ok {
			return document{}, fmt.Errorf("unknown environment %q (there are %s)", opts.Environment, strings.Join(pb.Environments.IDs(), ", "))
		}
		b.env = env
	}
	if b.opts.Findings == nil {
		b.opts.Findings = lint.Check(pb)
	}
	doc := document{
		Title: pb.Application, Team: pb.Team, Summary: pb.Summary,
		Digest: playbook.Substance(pb).Digest(), Environment: opts.Environment,
	}
	doc.Sections = append(doc.Sections, b.index(), b.architecture(), b.dependencies(), b.people(), b.callOrder(), b.notifications(), b.environments())
	for i := range pb.Scenarios {
		doc.Sections = append(doc.Sections, b.scenario(pb.Scenarios[i].ID, &pb.Scenarios[i].Value))
	}
	doc.Sections = append(doc.Sections, b.findings())
	return doc, nil
}

// text fills in the values of the chosen environment; names that only a running exercise knows stay as they are.
func (b *builder) text(s string) string {
	if b.env == nil {
		return s
	}
	out, err := playbook.Expand(s, func(name string) (string, bool) {
		if v, ok := b.env.Vars.Get(name); ok {
			return *v, true
		}
		return "${" + name + "}", true
	})
	if err != nil {
		return s
	}
	return out
}

// index is the first page: which failure, who leads, where to read on.
func (b *builder) index() section {
	t := table{Header: []string{"Scenario", "Covers", "Severity", "RTO", "RPO", "Call first", "Phone"}}
	for _, row := range b.pb.Scenarios {
		s := row.Value
		first := cell{Text: "—"}
		if p, ok := b.pb.People.Get(s.Leads.Primary); ok {
			first = phone(p.Phone)
		}
		t.Rows = append(t.Rows, []cell{
			{Text: cmp.Or(s.Title, row.ID), Link: "#" + scenarioID(row.ID)},
			{Text: b.serviceNames(s.Covers)},
			{Text: s.Severity},
			{Text: duration(s.RTO)},
			{Text: duration(s.RPO)},
			{Text: roster.PersonName(b.pb, s.Leads.Primary)},
			first,
		})
	}
	sec := section{ID: "something-has-failed", Title: "Something has failed"}
	if len(t.Rows) == 0 {
		sec.Blocks = []block{{Para: "No scenario is written yet."}}
		return sec
	}
	sec.Blocks = []block{
		{Para: "Find the failure, call the lead, follow the procedure exactly. What is not written is not done: note it as a deviation."},
		{Table: &t},
	}
	return sec
}

func (b *builder) architecture() section {
	t := table{Wide: true, Header: []string{"Service", "Purpose", "Supports", "Platform", "Technologies", "Identifier", "AZ", "VPC", "Subnet", "Endpoint"}}
	for _, row := range b.pb.Services {
		s := row.Value
		t.Rows = append(t.Rows, plain(roster.ServiceName(b.pb, row.ID), dash(s.Purpose), b.supports(row.ID), dash(s.Platform),
			dash(strings.Join(s.Technologies, ", ")), dash(s.Identifier), dash(s.Zone), dash(s.VPC), dash(s.Subnet), dash(b.text(s.Endpoint))))
	}
	return section{ID: "architecture", Title: "Architecture", Blocks: []block{{Graph: b.architectureGraph()}, {Table: &t}}}
}

// supports are the services that need this one directly: the seed's column that nobody has to fill in.
func (b *builder) supports(id string) string {
	var parents []string
	for _, row := range b.pb.Services {
		if slices.Contains(row.Value.Needs, id) {
			parents = append(parents, roster.ServiceName(b.pb, row.ID))
		}
	}
	return dash(strings.Join(parents, ", "))
}

func (b *builder) dependencies() section {
	critical := table{Header: []string{"Dependency", "Criticality period", "Manual workaround", "RTO", "RPO", "Child dependencies"}}
	other := table{Header: []string{"Dependency", "Criticality", "Severity", "Tolerated for", "What happens then", "Manual workaround", "RTO", "RPO"}}
	watch := table{Header: []string{"Service", "Probes", "Canary", "Metrics, logs, dashboards"}}
	for _, row := range b.pb.Services {
		s, name := row.Value, roster.ServiceName(b.pb, row.ID)
		if s.Uses != "" {
			name += " (" + s.Uses + ")"
		}
		if s.Critical.Level == playbook.Always || s.Critical.Level == playbook.During {
			critical.Rows = append(critical.Rows, plain(name, criticality(s.Critical), dash(s.Workaround), duration(s.RTO), duration(s.RPO),
				dash(b.serviceNames(s.Needs))))
		} else {
			tolerated, level := "—", "—"
			if s.Tolerates != nil {
				tolerated, level = duration(s.Tolerates.For), dash(s.Tolerates.Level)
			}
			other.Rows = append(other.Rows, plain(name, criticality(s.Critical), dash(s.Severity), tolerated, level, dash(s.Workaround),
				duration(s.RTO), duration(s.RPO)))
		}
		watch.Rows = append(watch.Rows, plain(roster.ServiceName(b.pb, row.ID), dash(b.specTable(s.Probes)), dash(b.specWords(s.Canary)),
			dash(pairs(s.Observability))))
	}
	sec := section{ID: "dependencies", Title: "Dependencies", Blocks: []block{{Graph: b.dependencyGraph()}}}
	sec.Blocks = append(sec.Blocks, block{Heading: "Critical"}, orNone(critical, "No dependency is critical."),
		block{Heading: "Not critical, or not known"}, orNone(other, "Every dependency is critical."),
		block{Heading: "Where to look"}, orNone(watch, "No service is written yet."))
	return sec
}

func orNone(t table, none string) block {
	if len(t.Rows) == 0 {
		return block{Para: none}
	}
	t.narrow()
	return block{Table: &t}
}

// narrow drops the columns, after the first, in which no row says anything.
func (t *table) narrow() {
	for i := len(t.Header) - 1; i > 0; i-- {
		empty := !slices.ContainsFunc(t.Rows, func(row []cell) bool { return row[i].Text != "—" })
		if !empty {
			continue
		}
		t.Header = slices.Delete(t.Header, i, i+1)
		for n := range t.Rows {
			t.Rows[n] = slices.Delete(t.Rows[n], i, i+1)
		}
	}
}

func (b *builder) people() section {
	t := table{Header: []string{"Team member", "Position", "Relevant services", "Roles", "Email", "Phone", "Slack", "Availability"}}
	var notes []string
	for _, row := range b.pb.People {
		p := row.Value
		t.Rows = append(t.Rows, []cell{
			{Text: roster.PersonName(b.pb, row.ID)},
			{Text: dash(p.Position)},
			{Text: dash(b.serviceNames(p.Services))},
			{Text: dash(roles(p.Roles))},
			email(p.Email), phone(p.Phone),
			{Text: dash(p.Slack)},
			{Text: availability(p)},
		})
		if p.Note != "" {
			notes = append(notes, roster.PersonName(b.pb, row.ID)+": "+p.Note)
		}
	}
	v := table{Header: []string{"Vendor", "Services", "Phone", "Email", "Where", "Contract", "Answers within", "Note"}}
	for _, row := range b.pb.Vendors {
		p := row.Value
		v.Rows = append(v.Rows, []cell{
			{Text: cmp.Or(p.Name, row.ID)},
			{Text: dash(b.serviceNames(p.Services))},
			phone(p.Phone), email(p.Email),
			{Text: dash(p.URL)},
			{Text: dash(p.Contract)},
			{Text: duration(p.Response)},
			{Text: dash(p.Note)},
		})
	}
	must := "These roles agree to the playbook: " + roles(b.pb.Agreement.Signers()) + "."
	if b.pb.Agreement.Author != "" && !b.pb.Agreement.AuthorMaySign {
		must += " Its author, " + roster.PersonName(b.pb, b.pb.Agreement.Author) + ", does not sign."
	}
	sec := section{ID: "people", Title: "People", Blocks: []block{orNone(t, "Nobody is named yet.")}}
	if len(notes) > 0 {
		sec.Blocks = append(sec.Blocks, block{Bullets: notes})
	}
	sec.Blocks = append(sec.Blocks, block{Para: must}, block{Heading: "Organisation"}, block{Graph: b.peopleGraph()})
	if len(v.Rows) > 0 {
		sec.Blocks = append(sec.Blocks, block{Heading: "Vendors"}, orNone(v, ""))
	}
	return sec
}

func (b *builder) callOrder() section {
	sec := section{ID: "call-order", Title: "Call order"}
	if b.opts.At.IsZero() {
		sec.Blocks = append(sec.Blocks, block{Para: "Who leads the recovery comes first, then who knows the service, then who stands above. " +
			"Call on until somebody answers; skip who is outside their hours."})
	} else {
		sec.Blocks = append(sec.Blocks, block{Para: "As of " + b.opts.At.Format("Mon 2 Jan 2006 15:04 MST") + ": who can be reached comes first."})
	}
	for _, row := range b.pb.Services {
		t := table{Header: []string{"", "Call", "Phone", "Because"}}
		for i, p := range roster.CallOrder(b.pb, row.ID, b.opts.At) {
			person, _ := b.pb.People.Get(p.Person)
			t.Rows = append(t.Rows, []cell{{Text: fmt.Sprint(i + 1)}, {Text: roster.PersonName(b.pb, p.Person)}, phone(person.Phone), {Text: p.Explain()}})
		}
		sec.Blocks = append(sec.Blocks, block{Heading: roster.ServiceName(b.pb, row.ID)}, orNone(t, "Nobody is named for this service."))
	}
	return sec
}

func (b *builder) notifications() section {
	scale := table{Header: []string{"Severity", "Means", "Longest RTO"}}
	for _, row := range b.pb.Scale() {
		scale.Rows = append(scale.Rows, plain(row.ID, row.Value.Means, duration(row.Value.RTO)))
	}
	t := table{Header: []string{"When", "Who", "How", "Within", "Why", "What"}}
	for _, n := range b.pb.Notifications {
		who := make([]string, len(n.Who))
		for i, id := range n.Who {
			who[i] = b.whoName(id)
		}
		t.Rows = append(t.Rows, plain(n.When, strings.Join(who, ", "), dash(strings.Join(n.How, ", ")), duration(n.Within), dash(n.Why), dash(b.text(n.What))))
	}
	return section{ID: "notifications", Title: "Severity and notifications", Blocks: []block{
		{Table: &scale}, {Heading: "Notifications"}, orNone(t, "Nobody is told automatically: follow the call order."),
	}}
}

// whoName names a person or a vendor.
func (b *builder) whoName(id string) string {
	if v, ok := b.pb.Vendors.Get(id); ok {
		return cmp.Or(v.Name, id)
	}
	return roster.PersonName(b.pb, id)
}

func (b *builder) environments() section {
	t := table{Header: []string{"Environment", "Kind", "Identity", "Approvals", "Window", "Frozen", "Values"}}
	for _, row := range b.pb.Environments {
		e := row.Value
		if b.opts.Environment != "" && row.ID != b.opts.Environment {
			continue
		}
		approvals, window := "—", "—"
		if e.Approvals != nil {
			approvals = fmt.Sprintf("%d", e.Approvals.Count)
			if len(e.Approvals.Roles) > 0 {
				approvals += " of " + roles(e.Approvals.Roles)
			}
		}
		if e.Window != nil {
			window = e.Window.String()
		}
		var frozen []string
		for _, f := range e.Freeze {
			frozen = append(frozen, strings.TrimSpace(f.From+" to "+f.Until+" "+f.Why))
		}
		t.Rows = append(t.Rows, plain(row.ID, string(e.Kind), dash(pairs(e.Identity)), approvals, window, dash(strings.Join(frozen, "; ")), dash(pairs(e.Vars))))
	}
	return section{ID: "environments", Title: "Environments", Blocks: []block{orNone(t, "No environment is written yet.")}}
}

func (b *builder) findings() section {
	sec := section{ID: "lint", Title: "Appendix: what lint says"}
	if len(b.opts.Findings) == 0 {
		sec.Blocks = []block{{Para: "Lint finds nothing."}}
		return sec
	}
	t := table{Header: []string{"Rule", "Severity", "Where", "What", "Why it matters"}}
	for _, f := range b.opts.Findings {
		t.Rows = append(t.Rows, []cell{{Text: f.ID}, {Text: string(f.Severity)}, {Text: f.Path, Code: true}, {Text: f.Message}, {Text: f.Why}})
	}
	sec.Blocks = []block{{Para: "A blocker refuses an exercise. A risk is a weakness to know about."}, {Table: &t}}
	return sec
}
