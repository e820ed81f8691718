package exercise

import (
	"slices"

	"github.com/belay-dr/belay/playbook"
)

// byPlatform and its neighbours are what a recovery can be attributed to.
const (
	byProcedure = playbook.ByProcedure
	byPlatform  = playbook.ByPlatform
	byReversal  = playbook.ByReversal
)

// begin begins a procedure.
func (m *machine) begin(procedure string) {
	m.Procedure = procedure
	switch procedure {
	case Recovery:
		m.enter(Recovering)
	case Test:
		m.enter(Testing)
	case Resume:
		m.enter(Resuming)
	}
	if i := m.Plan.first(procedure); i >= 0 {
		m.arrive(i)
		return
	}
	m.finished()
}

// arrive begins a step: first its condition, then the step itself.
func (m *machine) arrive(i int) {
	n := m.Plan.Nodes[i]
	m.At = i
	m.Steps[i] = StepState{State: StepRunning, Attempt: 1, Begun: m.Now}
	switch {
	case n.If != nil:
		m.giveStep(i, DoIf)
	case n.Optional && m.Plan.Mode == Automatic:
		m.skip(i, "optional, and nothing says that it is needed")
	default:
		m.act(i)
	}
}

// act begins the step itself.
func (m *machine) act(i int) {
	n, st := m.Plan.Nodes[i], &m.Steps[i]
	st.State, st.Acted = StepRunning, max(m.Now, 1)
	if n.NoReturn {
		m.NoReturn = n.ID
	}
	people := m.Plan.Mode != Automatic
	switch n.Kind {
	case NodeManual, NodeApprove:
		if !people {
			m.fail(i, "it needs a person, and the mode is automatic")
			return
		}
		m.giveStep(i, DoAsk)
	case NodeRun:
		if m.Plan.Mode == Guided {
			m.giveStep(i, DoAsk)
			return
		}
		m.giveStep(i, DoRun)
	case NodeAsk:
		if people && !hasCondition(n) {
			m.giveStep(i, DoAsk)
			return
		}
		m.giveStep(i, DoDecide)
	default:
		m.giveStep(i, DoRun)
	}
}

func hasCondition(n Node) bool {
	return slices.ContainsFunc(n.Options, func(o Option) bool { return o.If != nil })
}

// giveStep gives out a command about a step, with what was captured filled in. A value that is missing fails the step.
func (m *machine) giveStep(i int, kind CommandKind) {
	n, err := m.fill(m.Plan.Nodes[i])
	if err != nil {
		m.Steps[i].Attempt += m.Plan.Nodes[i].Retry // a missing value is still missing the next time
		m.fail(i, err.Error())
		return
	}
	m.give(n.ID, m.Steps[i].Attempt, Command{Kind: kind, Step: &n, Hint: m.Steps[i].Hint})
}

// stepAnswered takes the answer to a command about a step.
func (m *machine) stepAnswered(c Command, e Event) {
	i := m.Plan.node(c.Step.ID)
	if i < 0 || i != m.At || m.Ending {
		return
	}
	st := &m.Steps[i]
	if e.By != "" {
		st.By = e.By
	}
	if e.Output != "" {
		st.Output = e.Output
	}
	if e.Kind == CommandUnknown {
		m.unknown(i, c)
		return
	}
	switch c.Kind {
	case DoIf:
		m.conditionKnown(i, e)
	case DoDecide:
		m.decided(i, e)
	case DoAsk:
		m.asked(i, e)
	case DoSettle:
		m.settledBy(i, e)
	case DoRun, DoExpect:
		m.acted(i, e)
	}
}

// acted takes the answer of a step that was carried out, or of its expectation.
func (m *machine) acted(i int, e Event) {
	if e.Kind != CommandDone {
		m.fail(i, e.Text)
		return
	}
	m.keep(e.Captures)
	m.done(i, e.Text, m.Plan.Nodes[i].OK)
}

// conditionKnown goes on after the condition of a step, or after a look at a step that nobody knows about.
func (m *machine) conditionKnown(i int, e Event) {
	n, st := m.Plan.Nodes[i], &m.Steps[i]
	holds := e.Kind == CommandDone && e.Holds != nil && *e.Holds
	switch {
	case st.State == StepUnknown && holds:
		m.done(i, "its expectation holds, so it was carried out", n.OK)
	case st.State == StepUnknown:
		m.again(i)
	case e.Kind != CommandDone:
		m.fail(i, "its condition could not be looked at: "+e.Text)
	case holds:
		m.act(i)
	case m.Plan.Mode == Guided && (n.Kind == NodeManual || n.Kind == NodeRun):
		st.Hint = "skip"
		m.act(i)
	default:
		m.skip(i, "its condition does not hold")
	}
}

// decided takes the option that Belay would take. In guided mode that is only a hint.
func (m *machine) decided(i int, e Event) {
	n, st := m.Plan.Nodes[i], &m.Steps[i]
	if m.Plan.Mode == Guided {
		st.Hint = e.Choice
		m.giveStep(i, DoAsk)
		return
	}
	if e.Kind != CommandDone {
		m.fail(i, "no option holds: "+e.Text)
		return
	}
	if !m.choose(i, e.Choice) {
		m.fail(i, "there is no option "+e.Choice+" in "+n.ID)
	}
}

// choose takes an option of a decision and says whether there is one of that name.
func (m *machine) choose(i int, choice string) bool {
	for _, o := range m.Plan.Nodes[i].Options {
		if o.ID == choice {
			m.Steps[i].Choice = choice
			m.done(i, "", o.Goto)
			return true
		}
	}
	return false
}

// asked takes a person's answer.
func (m *machine) asked(i int, e Event) {
	n, st := m.Plan.Nodes[i], &m.Steps[i]
	switch {
	case e.Kind == CommandSkipped:
		if !n.Optional {
			m.Deviations = append(m.Deviations, Remark{At: e.At, By: e.By, Text: "step " + n.ID + " was left out: " + e.Text})
		}
		m.skip(i, e.Text)
	case e.Kind == CommandFailed:
		m.fail(i, e.Text)
	case n.Kind == NodeAsk:
		choice := e.Choice
		if choice == "" {
			choice = st.Hint
		}
		if !m.choose(i, choice) {
			st.Why = "choose one of the options"
			m.giveStep(i, DoAsk)
		}
	case n.Kind == NodeApprove && (e.By == "" || e.By == m.Plan.Runner):
		st.Why = "somebody other than " + m.Plan.Runner + " must approve"
		m.giveStep(i, DoAsk)
	case n.Kind == NodeRun && e.Choice == "run":
		m.giveStep(i, DoRun)
	default:
		m.confirmed(i, e)
	}
}

// confirmed goes on after a person has said that the step is done: its captures must be there, its expectation must hold.
func (m *machine) confirmed(i int, e Event) {
	n, st := m.Plan.Nodes[i], &m.Steps[i]
	m.keep(e.Captures)
	for _, c := range n.Captures {
		if m.captured(c.Name) < 0 {
			st.Why = "say the value too: done " + c.Name + "=VALUE"
			m.giveStep(i, DoAsk)
			return
		}
	}
	st.Why = ""
	if n.Expect != nil {
		m.giveStep(i, DoExpect)
		return
	}
	m.done(i, e.Text, n.OK)
}

// unknown settles a step that was started and never answered, by what the playbook says of repeating it.
func (m *machine) unknown(i int, c Command) {
	n, st := m.Plan.Nodes[i], &m.Steps[i]
	if c.Kind != DoRun {
		m.giveStep(i, c.Kind) // looking and asking can be repeated
		return
	}
	st.State = StepUnknown
	repeat := playbook.Repeat(n.Repeat)
	switch {
	case repeat == playbook.RepeatSafe:
		m.again(i)
	case repeat == playbook.RepeatCheck && n.Expect != nil:
		n.If = n.Expect
		filled, err := m.fill(n)
		if err != nil {
			m.fail(i, err.Error())
			return
		}
		m.give(n.ID, st.Attempt, Command{Kind: DoIf, Step: &filled})
	case m.Plan.Mode == Automatic:
		st.Ended = m.Now
		m.stop(Event{
			Kind: Stopped, At: m.Now, By: "belay",
			Text: "nobody knows whether step " + n.ID + " was carried out, and it may not simply be repeated",
		})
	default:
		m.giveStep(i, DoSettle)
	}
}

// settledBy takes a person's word on a step that nobody knows about.
func (m *machine) settledBy(i int, e Event) {
	n := m.Plan.Nodes[i]
	switch {
	case e.Kind != CommandDone:
		m.fail(i, e.Text)
	case e.Choice == "again" && n.Repeat != string(playbook.RepeatNever):
		m.again(i)
	case e.Choice == "again":
		m.Steps[i].Why = "it may never be repeated; say done or failed"
		m.giveStep(i, DoSettle)
	default:
		m.confirmed(i, e)
	}
}

// again tries a step once more.
func (m *machine) again(i int) {
	st := &m.Steps[i]
	st.State, st.Attempt = StepRunning, st.Attempt+1
	m.giveStep(i, DoRun)
}

func (m *machine) done(i int, why, next string) {
	st := &m.Steps[i]
	st.State, st.Ended, st.Why = StepDone, m.Now, why
	m.jump(i, next)
}

func (m *machine) skip(i int, why string) {
	st := &m.Steps[i]
	st.State, st.Ended, st.Why = StepSkipped, m.Now, why
	m.jump(i, string(playbook.Next))
}

// fail tries the step again while the playbook says so, and then goes where it says.
func (m *machine) fail(i int, why string) {
	n, st := m.Plan.Nodes[i], &m.Steps[i]
	st.Why = why
	if st.Attempt <= n.Retry {
		st.Attempt++
		m.act(i)
		return
	}
	st.State, st.Ended = StepFailed, m.Now
	m.jump(i, n.Failed)
}

// jump goes on after a step. Jumps lead forward only.
func (m *machine) jump(i int, to string) {
	switch to {
	case "", string(playbook.Next):
		if j := i + 1; j < len(m.Plan.Nodes) && m.Plan.Nodes[j].Procedure == m.Procedure {
			m.arrive(j)
			return
		}
		m.finished()
	case string(playbook.ToResume):
		m.finished()
	case string(playbook.Stop):
		m.procedureFailed(i)
	default:
		if j := m.Plan.node(to); j > i && m.Plan.Nodes[j].Procedure == m.Procedure {
			m.arrive(j)
			return
		}
		m.procedureFailed(i)
	}
}

// finished goes on after the last step of a procedure.
func (m *machine) finished() {
	procedure := m.Procedure
	m.Procedure, m.At = "", -1
	switch procedure {
	case Recovery:
		if m.Plan.RecoversBy == string(byReversal) && !m.Fault.Released && !m.Fault.Ended {
			m.release()
			return
		}
		m.begin(Test)
	case Test, Resume:
		m.settled()
	case Backout:
		m.endAfterBackout()
	}
}

// procedureFailed goes on after a step at which the procedure ends as failed.
func (m *machine) procedureFailed(i int) {
	id, procedure := m.Plan.Nodes[i].ID, m.Procedure
	m.Procedure, m.At = "", -1
	switch procedure {
	case Recovery:
		m.RecoveryFailed = id
		if m.NoReturn != "" && m.Plan.first(Backout) >= 0 {
			m.Cut = m.Now
			m.begin(Backout)
			return
		}
		m.end()
	case Test:
		m.TestFailed = id
		m.end()
	case Resume:
		m.Incomplete = "the resume procedure ended at " + id
		m.settled()
	case Backout:
		m.Incomplete = "the backout ended at " + id
		m.endAfterBackout()
	}
}

// endAfterBackout ends the exercise; what counts was cut when the backout began.
func (m *machine) endAfterBackout() {
	cut := m.Cut
	m.end()
	m.Cut = cut
	for i := range m.out {
		if m.out[i].Kind == DoMeasure {
			m.out[i].End = cut
		}
	}
}

// keep takes captured values; a later one of the same name replaces the earlier.
func (m *machine) keep(values []Captured) {
	for _, c := range values {
		if i := m.captured(c.Name); i >= 0 {
			m.Captures[i] = c
			continue
		}
		m.Captures = append(m.Captures, c)
	}
}

func (m *machine) captured(name string) int {
	return slices.IndexFunc(m.Captures, func(c Captured) bool { return c.Name == name })
}
