package exercise

import (
	"fmt"
	"slices"

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
		m.observed(c, e)
	case DoTimeBox:
		m.stop(Event{Kind: Stopped, At: m.Now, By: "time box", Text: fmt.Sprintf("the time box of %s is over", m.Plan.TimeBox)})
	case DoInject:
		m.injected(e)
	case DoGrace:
		m.graceOver()
	case DoDeclare:
		m.declared(e)
	case DoRead:
		m.afterStable()
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

// observed takes the answer about the baseline. A probe that failed since then has it watched again, within its limit.
func (m *machine) observed(c Command, e Event) {
	if e.Baseline != nil {
		seen := *e.Baseline
		m.Baseline = &seen
	}
	begun, _ := m.since(Baseline)
	switch {
	case e.Kind == CommandDone && m.down() && m.Now < begun+m.Plan.BaselineLimit:
		m.give("observe", c.Attempt+1, Command{Kind: DoObserve})
	case e.Kind != CommandDone:
		m.broken("the steady state was not healthy before the fault: " + e.Text)
	case m.down():
		m.broken("the steady state was not healthy before the fault: a probe is failing")
	case m.Plan.Fault == nil:
		m.broken("the scenario names no fault")
	default:
		m.Fault.Asked, m.Fault.AskedAt = true, m.Now
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
	m.give("declare", 1, Command{Kind: DoDeclare, Notices: m.notices()})
}

// declared takes the answer to the declaration.
func (m *machine) declared(e Event) {
	if m.Ending {
		return
	}
	if e.Kind != CommandDone {
		why := e.Text
		if why == "" {
			why = "no reason was given"
		}
		m.stop(Event{Kind: Stopped, At: e.At, By: e.By, Text: "not declared: " + why})
		return
	}
	m.DeclaredBy = e.By
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
	if m.Broken == "" && m.lostUnseen() {
		m.Broken = m.lostWhy()
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

// release asks for the end of the fault, once.
func (m *machine) release() {
	m.Fault.Released, m.Fault.ReleasedAt = true, m.Now
	m.give("release", 1, Command{Kind: DoRelease})
}

// measure asks for the numbers, once.
func (m *machine) measure() {
	m.give("measure", 1, Command{Kind: DoMeasure, End: m.Cut})
}
