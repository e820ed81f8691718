package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proc"
)

// within is what a rig gives a server on a busy machine.
const within = 6 * time.Second

func TestConformance(t *testing.T) {
	bin := programs(t)
	if bin == "" {
		return
	}
	shared := newPrimary(t, bin)
	standby := shared.standby(t)
	killed, stopped := newPrimary(t, bin), newPrimary(t, bin)
	for name, rig := range map[string]func(testing.TB) faulttest.Rig{
		"terminate":    func(t testing.TB) faulttest.Rig { return terminateRig(t, shared) },
		"lock":         func(t testing.TB) faulttest.Rig { return lockRig(t, shared) },
		"fill":         func(t testing.TB) faulttest.Rig { return fillRig(t, shared) },
		"pause_replay": func(t testing.TB) faulttest.Rig { return replayRig(t, standby) },
		"server kill":  func(t testing.TB) faulttest.Rig { return serverRig(t, killed, "kill") },
		"server pause": func(t testing.TB) faulttest.Rig { return serverRig(t, stopped, "pause") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, rig)
		})
	}
}

func spec(t testing.TB, c *cluster, role, action string, config any) faulttest.Rig {
	return faulttest.Rig{
		Kinds: Kinds(), Within: within,
		Spec: faulttest.Spec(t, object{"postgres": object{"url": c.url(role), action: config}}),
	}
}

func terminateRig(t testing.TB, c *cluster) faulttest.Rig {
	eyes, app := c.admin(t), fresh("app")
	victim := connect(t, c.url("admin")+"&application_name="+app)
	r := spec(t, c, "admin", "terminate", object{"application": app})
	r.OneShot = true
	r.Broken = func() bool {
		return answer[int](t, eyes, `select count(*) from pg_stat_activity where application_name = $1`, app) == 0
	}
	r.Remove = func() { _ = victim.Close(context.Background()) }
	return r
}

func lockRig(t testing.TB, c *cluster) faulttest.Rig {
	eyes, table := c.admin(t), fresh("orders")
	do(t, eyes, "create table "+table+" (id int)")
	t.Cleanup(func() { do(t, eyes, "drop table if exists "+table) })
	r := spec(t, c, "admin", "lock", table)
	r.KernelEnds = true
	r.Broken = func() bool {
		_, err := eyes.Exec(context.Background(), "begin; lock table "+table+" in access share mode nowait; commit", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			do(t, eyes, "rollback")
		}
		var said *pgconn.PgError
		if errors.As(err, &said) && said.Code != "55P03" && said.Code != "42P01" {
			t.Errorf("look at the table: %v", err)
		}
		return errors.As(err, &said) && said.Code == "55P03"
	}
	end := func() {
		do(t, eyes, `select pg_terminate_backend(pid, 5000) from pg_locks where relation = $1::regclass and granted and pid <> pg_backend_pid()`, table)
	}
	r.Change = func() { end(); do(t, eyes, "insert into "+table+" values (1)") }
	r.Intact = func() bool { return !r.Broken() && answer[int](t, eyes, "select count(*) from "+table) == 1 }
	r.Remove = func() { end(); do(t, eyes, "drop table "+table) }
	return r
}

func fillRig(t testing.TB, c *cluster) faulttest.Rig {
	eyes, role := c.admin(t), fresh("shop")
	do(t, eyes, "create role "+role+" login connection limit 4")
	r := spec(t, c, role, "fill", object{})
	r.KernelEnds = true
	r.Broken = func() bool {
		conn, err := pgx.Connect(context.Background(), c.url(role))
		if err == nil {
			_ = conn.Close(context.Background())
			until(t, "our look is over", func() bool {
				return answer[int](t, eyes, `select count(*) from pg_stat_activity where usename = $1 and application_name = ''`, role) == 0
			})
			return false
		}
		var said *pgconn.PgError
		if !errors.As(err, &said) || said.Code != "53300" {
			t.Errorf("look for a connection: %v", err)
		}
		return true
	}
	end := func() {
		do(t, eyes, `select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1`, role)
	}
	var next *pgx.Conn
	r.Change = func() { end(); next = connect(t, c.url(role)) }
	r.Intact = func() bool { return next.Ping(context.Background()) == nil }
	r.Remove = end
	return r
}

func replayRig(t testing.TB, c *cluster) faulttest.Rig {
	if _, err := os.Stat(filepath.Join(c.data, "postmaster.pid")); err != nil {
		c.start(t)
	}
	eyes := c.admin(t)
	do(t, eyes, "select pg_wal_replay_resume()")
	state := func() string { return answer[string](t, eyes, "select pg_get_wal_replay_pause_state()") }
	r := spec(t, c, "admin", "pause_replay", true)
	r.Broken = func() bool { return state() == "paused" }
	r.Change = func() { do(t, eyes, "select pg_wal_replay_resume()") }
	r.Intact = func() bool { return state() == "not paused" }
	r.Remove = c.stop
	return r
}

// serverRig breaks a server of its own. Its eyes are in /proc.
func serverRig(t testing.TB, c *cluster, how string) faulttest.Rig {
	pid := func() int {
		b, _ := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
		first, _, _ := strings.Cut(string(b), "\n")
		n, _ := strconv.Atoi(first)
		return n
	}
	state := func(pid int) byte {
		i, err := proc.Look(pid)
		if err != nil || i.Over() {
			return 0
		}
		return i.State
	}
	start := func() {
		old := pid()
		if old != 0 && state(old) != 0 {
			return
		}
		// The children of a killed server end a little later, and keep its shared memory until then.
		until(t, "the children of the last one have ended", func() bool { list, err := children(old); return old == 0 || err == nil && len(list) == 0 })
		// PID 1 may be slow to take note of the end. A server would take the dead one for a living one until then.
		_ = os.Remove(filepath.Join(c.data, "postmaster.pid"))
		_ = os.Remove(filepath.Join(c.dir, fmt.Sprintf(".s.PGSQL.%d.lock", c.port)))
		c.start(t)
	}
	start()
	victim := pid()
	r := faulttest.Rig{
		Kinds: Kinds(), Within: within, Remove: c.stop,
		Spec: faulttest.Spec(t, object{"postgres": object{"server": object{"data": c.data, "how": how, "any_user": true}}}),
	}
	if how == "kill" {
		r.OneShot, r.Broken = true, func() bool { return state(victim) == 0 }
		return r
	}
	r.KernelEnds = true
	r.Broken = func() bool { return state(victim) == proc.Traced }
	end := func() {
		all, err := children(victim)
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range append(all, victim) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		until(t, "it has ended", func() bool { return state(victim) == 0 })
	}
	r.Change = func() { end(); start() }
	r.Remove = end
	r.Intact = func() bool { return pid() != victim && c.admin(t).Ping(context.Background()) == nil }
	return r
}
