package exercise

import (
	"fmt"
	"slices"
	"time"

	"github.com/belay-dr/belay/fault"
)

// Step takes one event and returns the next state and what is to be done. It has no clock, no goroutine and no IO: the same
// state and event always give the same answer. The state it is given is not changed.
//
// The order that a driver must keep: write the event down, call Step, and write CommandStarted down before acting on a
// command. An event that does not fit (seen before, too late, for a command that is not open) changes nothing.
func Step(s State, e Event) (State, []Command) {
	next, commands, _ := Apply(s, e)
	return next, commands
}

// Apply is Step, and says whether the event changed anything. A driver need not write down what changes nothing.
func Apply(s State, e Event) (State, []Command, bool) {
	if s.Machine != MachineVersion || s.Closed() || (s.Phase == "") != (e.Kind == Started) {
		return s, nil, false
	}
	m := &machine{State: s.clone()}
	m.Now = max(m.Now, e.At)
	if !m.take(e) {
		return s, nil, false
	}
	return m.State, m.out, true
}

// machine is a state being changed, and the commands given out on the way.
type machine struct {
	State
	out []Command
}

// take applies the event and says whether it fitted.
func (m *machine) take(e Event) bool {
	switch e.Kind {
	case Started:
		m.enter(Cleared)
		m.give("time-box", 1, Command{Kind: DoTimeBox, Wait: m.Plan.TimeBox})
		m.give("observe", 1, Command{Kind: DoObserve})
		return true
	case CommandStarted:
		return m.begun(e)
	case CommandDone, CommandFailed, CommandSkipped, CommandUnknown:
		return m.answered(e)
	case Down, Up, Steady:
		return m.edge(e)
	case FaultEnded:
		return m.faultEnded(e)
	case Noted:
		return m.remark(&m.Notes, e)
	case Deviation:
		return m.remark(&m.Deviations, e)
	case Stopped:
		return m.stop(e)
	case Resumed:
		if slices.Contains(m.Resumes, e.At) {
			return false
		}
		m.Resumes = append(m.Resumes, e.At)
		return true
	}
	return false
}

// enter begins a phase.
func (m *machine) enter(p Phase) {
	m.Phase = p
	m.Marks = append(m.Marks, Mark{p, m.Now})
}

// give gives a command out. Its ID is name#attempt#n, where n counts the commands of that name.
func (m *machine) give(name string, attempt int, c Command) {
	i := slices.IndexFunc(m.Given, func(g Count) bool { return g.Name == name })
	if i < 0 {
		i = len(m.Given)
		m.Given = append(m.Given, Count{Name: name})
	}
	m.Given[i].N++
	c.ID = fmt.Sprintf("%s#%d#%d", name, attempt, m.Given[i].N)
	c.Attempt = attempt
	m.out = append(m.out, c)
	if c.Kind != DoCancel && c.Kind != DoClose {
		m.Open = append(m.Open, Open{Command: c, At: m.Now})
	}
}

// begun notes that the driver is about to act.
func (m *machine) begun(e Event) bool {
	i := m.open(e.Command)
	if i < 0 || m.Open[i].Begun {
		return false
	}
	m.Open[i].Begun = true
	if m.Open[i].Command.Kind == DoObserve && m.Phase == Cleared {
		m.enter(Baseline)
	}
	return true
}

// answered takes the answer to an open command.
func (m *machine) answered(e Event) bool {
	i := m.open(e.Command)
	if i < 0 {
		return false
	}
	c := m.Open[i].Command
	m.Open = slices.Delete(m.Open, i, i+1)
	if c.Step != nil {
		m.stepAnswered(c, e)
		return true
	}
	// The clock of the time box must not get lost, whatever its answer.
	lost := c.Kind == DoTimeBox && e.Kind != CommandDone
	if lost || e.Kind == CommandUnknown && c.Kind != DoInject {
		m.give(m.nameOf(c), c.Attempt, c)
		return true
	}
	switch c.Kind {
	case DoObserve:
		m.observed(e)
	case DoTimeBox:
		m.stop(Event{Kind: Stopped, At: m.Now, By: "time box", Text: fmt.Sprintf("the time box of %s is over", m.Plan.TimeBox)})
	case DoInject:
		m.injected(e)
	case DoGrace:
		m.graceOver()
	case DoDeclare:
		m.declared(e)
	case DoRelease:
		m.released(e)
	case DoMeasure:
		m.measured(e)
	}
	return true
}

// nameOf is the name that a command's ID begins with.
func (m *machine) nameOf(c Command) string {
	for _, g := range m.Given {
		if len(c.ID) > len(g.Name) && c.ID[:len(g.Name)+1] == g.Name+"#" {
			return g.Name
		}
	}
	return c.ID
}

// observed takes the answer about the baseline.
func (m *machine) observed(e Event) {
	switch {
	case e.Kind != CommandDone:
		m.broken("the steady state was not healthy before the fault: " + e.Text)
	case m.down():
		m.broken("the steady state was not healthy before the fault: a probe is failing")
	case m.Plan.Fault == nil:
		m.broken("the scenario names no fault")
	default:
		m.Fault.Asked = true
		m.give("inject", 1, Command{Kind: DoInject, Wait: m.Plan.Limit})
	}
}

// injected takes the answer about the fault.
func (m *machine) injected(e Event) {
	if e.Fault != nil {
		status := *e.Fault
		m.Fault.Status = &status
	}
	if e.Kind != CommandDone {
		m.Fault.Ended = e.Fault == nil || e.Fault.State != fault.Failed
		if e.Kind == CommandUnknown {
			e.Text = "Belay was interrupted while it was injecting"
		}
		m.broken("the fault was not seen to take effect: " + e.Text)
		return
	}
	m.Fault.Confirmed, m.Fault.ConfirmedAt = true, m.Now
	if m.Ending {
		m.end()
		return
	}
	m.enter(Faulted)
	if m.down() {
		m.detect()
		return
	}
	m.give("grace", 1, Command{Kind: DoGrace, Wait: m.Plan.Grace})
}

// graceOver is reached when the fault is in place and the service has not been seen to fail.
func (m *machine) graceOver() {
	if m.Phase != Faulted || m.Ending {
		return
	}
	if m.Plan.RecoversBy == string(byPlatform) {
		m.begin(Recovery)
		return
	}
	m.broken(fmt.Sprintf("the service was never seen to fail within %s of the fault", m.Plan.Grace))
}

// detect is reached when the fault is confirmed and a probe that decides fails.
func (m *machine) detect() {
	m.enter(Detected)
	m.cancel(DoGrace)
	m.give("declare", 1, Command{Kind: DoDeclare})
}

// declared takes the answer to the declaration.
func (m *machine) declared(e Event) {
	if m.Ending {
		return
	}
	if e.Kind != CommandDone {
		m.stop(Event{Kind: Stopped, At: e.At, By: e.By, Text: "not declared: " + e.Text})
		return
	}
	m.enter(Declared)
	m.begin(Recovery)
}

// released takes the answer about the end of the fault.
func (m *machine) released(e Event) {
	m.Fault.Ended = true
	if e.Fault != nil {
		status := *e.Fault
		m.Fault.Status = &status
	}
	if e.Kind != CommandDone {
		m.Fault.Error = "the fault was not reverted: " + e.Text
	}
	m.enter(Reverted)
	switch {
	case m.Ending:
		m.measure()
	case m.reached(Stable):
		m.begin(Resume)
	default: // a scenario that recovers by reversal
		m.begin(Test)
	}
}

// measured takes the numbers, after which only the verdict is left.
func (m *machine) measured(e Event) {
	if e.Measured != nil {
		got := *e.Measured
		m.Measured = &got
	} else {
		m.Measured = &Measured{Why: e.Text}
	}
	m.close()
}

// close ends the exercise for good.
func (m *machine) close() {
	m.cancelAll()
	m.Procedure, m.At = "", -1
	m.enter(Closed)
	m.give("close", 1, Command{Kind: DoClose})
}

// broken ends an exercise that proves nothing any more.
func (m *machine) broken(why string) {
	if m.Broken == "" {
		m.Broken = why
	}
	m.end()
}

// edge notes a change of a probe's target.
func (m *machine) edge(e Event) bool {
	i := slices.IndexFunc(m.Targets, func(t Target) bool { return t.Name == e.Target })
	if i < 0 {
		return false
	}
	t := &m.Targets[i]
	late := t.State != "" && e.At < t.At
	if late || t.State == e.Kind || (t.State == Steady && e.Kind == Up) {
		return false
	}
	t.State, t.At = e.Kind, e.At
	if e.Kind == Down {
		t.Downs++
	}
	m.Edges = append(m.Edges, Edge{e.At, e.Target, e.Kind})
	if m.Ending || !t.Primary {
		return true
	}
	switch {
	case e.Kind == Down && m.Phase == Faulted:
		m.detect()
	case e.Kind == Steady && m.Procedure == "":
		m.settled()
	}
	return true
}

// settled goes on when a procedure has ended and the service must be steady first.
func (m *machine) settled() {
	if !m.steady() {
		return
	}
	switch m.Phase {
	case Testing:
		m.stable()
	case Resuming:
		m.measure()
	}
}

// stable is reached when the tests have passed and the service has answered for a whole window.
func (m *machine) stable() {
	m.enter(Stable)
	if m.Fault.Released {
		m.begin(Resume)
		return
	}
	m.release()
}

// release asks for the end of the fault, once.
func (m *machine) release() {
	m.Fault.Released, m.Fault.ReleasedAt = true, m.Now
	m.give("release", 1, Command{Kind: DoRelease})
}

// measure asks for the numbers, once.
func (m *machine) measure() {
	m.give("measure", 1, Command{Kind: DoMeasure, End: m.Cut})
}

// end ends the exercise early: what is going on is cancelled, the fault is ended, what was seen is measured.
func (m *machine) end() {
	if !m.Ending && !m.reached(Stable) && m.reached(Faulted) {
		m.Cut = m.Now
	}
	m.Ending = true
	m.Procedure, m.At = "", -1
	if m.isOpen(DoInject) {
		m.cancelBut(DoInject)
		m.give("cancel", 1, Command{Kind: DoCancel, Target: m.Open[m.openKind(DoInject)].Command.ID})
		return
	}
	m.cancelAll()
	switch {
	case m.isOpen(DoRelease) || m.isOpen(DoMeasure):
	case m.Fault.Asked && !m.Fault.Released && !m.Fault.Ended:
		m.release()
	default:
		m.measure()
	}
}

// faultEnded takes the news that the fault ended by itself. Before the recovery this spoils the exercise.
func (m *machine) faultEnded(e Event) bool {
	if !m.Fault.Confirmed || m.Fault.Released || m.Fault.Ended || e.Fault == nil {
		return false
	}
	status := *e.Fault
	m.Fault.Status, m.Fault.Ended = &status, true
	if status.State == fault.Failed {
		m.Fault.Error = "the fault was not reverted: " + status.Error
	}
	if status.Class == fault.OneShot || m.Ending || m.reached(Stable) {
		return true
	}
	_, acted := m.firstAction()
	if acted && status.State == fault.Superseded {
		return true // the recovery had already put something else in its place: nothing was taken back
	}
	if m.down() || !acted {
		m.broken("the fault was lost before the recovery (" + status.Cause + ")")
	}
	return true
}

// remark takes a note or a deviation, once.
func (m *machine) remark(list *[]Remark, e Event) bool {
	r := Remark{At: e.At, By: e.By, Text: e.Text}
	if e.ID == "" {
		if slices.Contains(*list, r) {
			return false
		}
	} else {
		i, seen := slices.BinarySearch(m.Seen, e.ID)
		if seen {
			return false
		}
		m.Seen = slices.Insert(m.Seen, i, e.ID)
	}
	*list = append(*list, r)
	return true
}

// stop ends the exercise because somebody or something wants it. After a step of no return the backout is carried out first.
func (m *machine) stop(e Event) bool {
	if m.Ending || (m.Stop != nil && (m.Procedure != Backout || e.At <= m.Stop.At)) {
		return false // a second stop ends a backout; the same one seen twice does not
	}
	if m.Stop == nil {
		m.Stop = &Stop{At: m.Now, By: e.By, Why: e.Text, Outage: m.outage()}
	}
	if !m.Fault.Confirmed && m.Broken == "" {
		m.Broken = "it was stopped before the fault took effect"
	}
	if m.Procedure != Backout && m.NoReturn != "" && !m.reached(Stable) && m.Plan.first(Backout) >= 0 {
		m.Cut = m.Now
		m.cancelAll()
		m.begin(Backout)
		return true
	}
	cut := m.Cut
	m.end()
	if cut > 0 {
		m.Cut = cut
	}
	return true
}

// outage says whether an outage is going on that has not been seen to end for good.
func (m *machine) outage() bool {
	return m.down() || (m.reached(Detected) && !m.steady())
}

// cancelAll cancels every open command that may be cancelled.
func (m *machine) cancelAll() { m.cancelBut(DoInject) }

// cancelBut cancels the open commands but those that clean up, and those of one kind.
func (m *machine) cancelBut(kind CommandKind) {
	for i := 0; i < len(m.Open); {
		switch k := m.Open[i].Command.Kind; k {
		case kind, DoRelease, DoMeasure:
			i++
		default:
			m.cancelAt(i)
		}
	}
}

// cancel cancels the open command of the kind, if there is one.
func (m *machine) cancel(kind CommandKind) {
	if i := m.openKind(kind); i >= 0 {
		m.cancelAt(i)
	}
}

func (m *machine) cancelAt(i int) {
	c := m.Open[i].Command
	m.Open = slices.Delete(m.Open, i, i+1)
	m.give("cancel", 1, Command{Kind: DoCancel, Target: c.ID})
	if c.Step != nil {
		if j := m.Plan.node(c.Step.ID); j >= 0 && m.Steps[j].State == StepRunning {
			m.Steps[j].State, m.Steps[j].Ended, m.Steps[j].Why = StepUnknown, m.Now, "cancelled"
		}
	}
}

func (m *machine) openKind(kind CommandKind) int {
	return slices.IndexFunc(m.Open, func(o Open) bool { return o.Command.Kind == kind })
}

func (m *machine) isOpen(kind CommandKind) bool { return m.openKind(kind) >= 0 }

// firstAction returns when the first step of the recovery that changes something began.
func (s *State) firstAction() (time.Duration, bool) {
	for i, n := range s.Plan.Nodes {
		changes := n.Kind == NodeManual || n.Kind == NodeRun
		if n.Procedure == Recovery && changes && s.Steps[i].Acted > 0 && s.Steps[i].State != StepSkipped {
			return s.Steps[i].Acted, true
		}
	}
	return 0, false
}
