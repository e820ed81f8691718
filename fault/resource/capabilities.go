package resource

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Capabilities says which of them can be made here. It tries each for a moment, on nothing that anybody uses.
func Capabilities(context.Context) []fault.Capability {
	out := []fault.Capability{
		{Fault: "resource.cpu_limit", Class: fault.Restore, Fidelity: fault.Host, Effect: "a cgroup gets less processor time"},
		{Fault: "resource.memory_limit", Class: fault.Restore, Fidelity: fault.Host, Effect: "a cgroup may have less memory"},
		{Fault: "resource.disk_slow", Class: fault.Restore, Fidelity: fault.Host, Effect: "a disk is slow for a cgroup"},
		{Fault: "resource.cpu_pressure", Class: fault.SelfEnding, Fidelity: fault.Host, KernelEnds: true, Effect: "processor time is used up"},
		{Fault: "resource.memory_pressure", Class: fault.SelfEnding, Fidelity: fault.Host, KernelEnds: true, Effect: "memory is used up"},
		{Fault: "resource.fd_exhaustion", Class: fault.Restore, Fidelity: fault.Process, Effect: "a process can open no more files and connections"},
		{Fault: "resource.disk_fill", Class: fault.SelfEnding, Fidelity: fault.Host, KernelEnds: true, Effect: "a file system is full"},
	}
	for n := range out {
		how, err := here(out[n].Fault)
		out[n].Mechanism, out[n].Here = how, err == nil
		if err != nil {
			out[n].Why = err.Error()
		}
		if n < 3 {
			out[n].Needs = []string{"the right to write to the cgroup"}
		}
	}
	return out
}
