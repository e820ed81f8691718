package process

import (
	"context"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc/trace"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"process": func() fault.Config { return new(Process) }}
}

// Capabilities says which of them can be made here.
func Capabilities(context.Context) []fault.Capability {
	pause := fault.Capability{
		Fault: "process.pause", Class: fault.SelfEnding, Fidelity: fault.Process, Here: true, Mechanism: "ptrace", KernelEnds: true,
		Effect: "every thread of a process stands still; the kernel lets it go on when the holder dies",
		Needs:  []string{"the process's own user, or CAP_SYS_PTRACE"},
	}
	if err := trace.Here(); err != nil {
		pause.Here, pause.Mechanism, pause.Why = false, "", err.Error()+"; or_stop: true takes SIGSTOP instead"
	}
	kill, freeze := groupCapabilities()
	return []fault.Capability{
		{
			Fault: "process.kill", Class: fault.OneShot, Fidelity: fault.Process, Here: true, Mechanism: "SIGKILL",
			Effect: "processes get SIGKILL; nobody starts them again but the procedure",
		},
		{
			Fault: "process.stop", Class: fault.Restore, Fidelity: fault.Process, Here: true, Mechanism: "SIGSTOP",
			Effect: "processes are stopped and go on afterwards",
		},
		pause, kill, freeze,
	}
}

// groupCapabilities looks at the hierarchies that are mounted here.
func groupCapabilities() (kill, freeze fault.Capability) {
	kill = fault.Capability{
		Fault: "process.kill (cgroup)", Class: fault.OneShot, Fidelity: fault.Process, Effect: "all processes of a control group get SIGKILL at once",
		Needs: []string{"root, or a delegated control group"},
	}
	freeze = fault.Capability{
		Fault: "process.freeze", Class: fault.Restore, Fidelity: fault.Process, Effect: "all processes of a control group stand still and go on afterwards",
		Needs: []string{"root, or a delegated control group"},
	}
	all, err := hierarchies()
	if err != nil || len(all) == 0 {
		kill.Why, freeze.Why = "no control groups are mounted here", "no control groups are mounted here"
		return kill, freeze
	}
	kill.Here, kill.Mechanism = true, "cgroup v1: freeze, SIGKILL to each, thaw"
	if all[0].v2 {
		kill.Mechanism = "cgroup v2 cgroup.kill"
	}
	for _, h := range all {
		switch {
		case freeze.Here:
		case h.v2:
			freeze.Here, freeze.Mechanism = true, "cgroup v2 cgroup.freeze"
		case h.freezer():
			freeze.Here, freeze.Mechanism = true, "cgroup v1 freezer"
		}
	}
	if !freeze.Here {
		freeze.Why = "neither cgroup v2 nor the v1 freezer is mounted"
	}
	return kill, freeze
}
