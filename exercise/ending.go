package exercise

import "slices"

// broken ends an exercise that proves nothing any more.
func (m *machine) broken(why string) {
	if m.Broken == "" {
		m.Broken = why
	}
	m.end()
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
