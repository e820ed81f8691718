package postgres

import (
	"context"
	"runtime"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"postgres": func() fault.Config { return new(Postgres) }}
}

// Capabilities says which of them can be made. Whether a server lets us in, only the plan for that server can say.
func Capabilities(context.Context) []fault.Capability {
	const let = "a role that may log in"
	return []fault.Capability{
		{
			Fault: "postgres.terminate", Class: fault.OneShot, Fidelity: fault.Network, Effect: "sessions of clients are ended", Mechanism: "pg_terminate_backend",
			Needs: []string{let, "pg_signal_backend"}, Here: true,
		},
		{
			Fault: "postgres.lock", Class: fault.SelfEnding, Fidelity: fault.Process, Effect: "a table is locked for everybody", Mechanism: "a transaction in the holder's own session",
			KernelEnds: true, Needs: []string{let, "update, delete or truncate on the table"}, Here: true,
		},
		{
			Fault: "postgres.fill", Class: fault.SelfEnding, Fidelity: fault.Network, Effect: "no connection is left for a role", Mechanism: "the holder's own connections",
			KernelEnds: true, Needs: []string{let}, Here: true,
		},
		{
			Fault: "postgres.pause_replay", Class: fault.Restore, Fidelity: fault.Data, Effect: "a standby falls behind", Mechanism: "pg_wal_replay_pause",
			Needs: []string{let, "execute on pg_wal_replay_pause() and pg_wal_replay_resume()"}, Here: true,
		},
		onThisHost(),
	}
}

func onThisHost() fault.Capability {
	c := fault.Capability{
		Fault: "postgres.server", Class: fault.OneShot, Fidelity: fault.Process, Effect: "the server of a data directory on this host is killed, or paused (then the kernel ends it)",
		Mechanism: "SIGKILL, SIGQUIT, ptrace", Needs: []string{"the server's own user, or root"}, Here: true,
	}
	if runtime.GOOS != "linux" {
		c.Here, c.Mechanism, c.Why = false, "", "it is made only on Linux"
	}
	return c
}
