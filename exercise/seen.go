package exercise

import (
	"slices"
	"time"

	"github.com/belay-dr/belay/fault"
)

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
	if len(m.Plan.Canaries) > 0 {
		// What is there now, before the fault is taken back: rows that go later were lost late.
		m.give("read", 1, Command{Kind: DoRead})
		return
	}
	m.afterStable()
}

// afterStable goes on with the end of the fault, or with the resume procedure where it has ended.
func (m *machine) afterStable() {
	if m.Fault.Released {
		m.begin(Resume)
		return
	}
	m.release()
}

// faultEnded takes the news that the fault ended by itself. Before the recovery this spoils the exercise.
func (m *machine) faultEnded(e Event) bool {
	if !m.Fault.Confirmed || m.Fault.Released || m.Fault.Ended || e.Fault == nil {
		return false
	}
	status := *e.Fault
	m.Fault.Status, m.Fault.Ended, m.Fault.EndedAt = &status, true, m.Now
	if status.State == fault.Failed {
		m.Fault.Error = "the fault was not reverted: " + status.Error
	}
	switch {
	case status.Class == fault.OneShot || m.Ending || m.supersededByRecovery() || m.reversedByLimit():
	case status.Cause != causeLost && (m.reached(Stable) || m.recovered()):
	default:
		m.broken(m.lostWhy())
	}
	return true
}

// lostUnseen says that the fault had ended by itself before it was released, nobody knows when: perhaps that is what brought the
// service back.
func (s *State) lostUnseen() bool {
	st := s.Fault.Status
	return s.Fault.Confirmed && s.Fault.EndedAt == 0 && st != nil && st.Class != fault.OneShot && st.Cause == causeLost && !s.supersededByRecovery()
}

// recovered says that somebody acted and the service has since been in order for a whole window. Less is not enough when the
// fault is lost: the end of a fault can be seen at the service before the news of it comes.
func (s *State) recovered() bool {
	_, acted := s.firstAction()
	_, failed := s.failed()
	return acted && failed && s.steady()
}

// supersededByRecovery says that the recovery had already put something else in the fault's place: nothing was taken back.
func (s *State) supersededByRecovery() bool {
	_, acted := s.firstAction()
	return acted && s.Fault.Status != nil && s.Fault.Status.State == fault.Superseded
}

// reversedByLimit says that the fault ended by its own limit, in a scenario in which the end of the fault is the recovery.
func (s *State) reversedByLimit() bool {
	st := s.Fault.Status
	return s.Plan.RecoversBy == string(byReversal) && s.Fault.EndedAt > 0 && st != nil && st.Cause == causeLimit && st.State == fault.Reverted
}

// What a fault says that has ended by its own limit, and one that was found to be gone.
const (
	causeLimit = "limit"
	causeLost  = "lost"
)

func (s *State) lostWhy() string {
	cause := "nobody knows why"
	if st := s.Fault.Status; st != nil && st.Cause != "" {
		cause = st.Cause
	}
	return "the fault was lost before the recovery (" + cause + ")"
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
