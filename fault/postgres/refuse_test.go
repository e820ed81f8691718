package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proc"
)

func plan(t testing.TB, config object) (fault.Target, fault.Plan, error) {
	t.Helper()
	target, err := Kinds().Decode(faulttest.Spec(t, object{"postgres": config}))
	if err != nil {
		return nil, fault.Plan{}, err
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: time.Minute})
	return target, p, err
}

// refused plans, and compares the refusal; one that ends in "..." only has to begin so.
func refused(t *testing.T, config object, want string) {
	t.Helper()
	began := time.Now()
	_, _, err := plan(t, config)
	begin, open := strings.CutSuffix(want, "...")
	if err == nil || err.Error() != want && !(open && strings.HasPrefix(err.Error(), begin)) {
		t.Errorf("%v:\n got %v\nwant %s", config, err, want)
	}
	if took := time.Since(began); took > connectBound+2*time.Second {
		t.Errorf("%v: it took %s", config, took)
	}
}

// TestConfigs has one line for each mistake in a config.
func TestConfigs(t *testing.T) {
	const one = "fault postgres: give exactly one of terminate, lock, fill, pause_replay and server"
	const secret = "fault postgres: url: must not hold a password: give password_file, or PGPASSWORD in the environment"
	for _, c := range []struct {
		config object
		want   string
	}{
		{object{}, one},
		{object{"fill": object{}, "pause_replay": true}, one},
		{object{"fill": object{}, "url": "host=db user=x"}, `fault postgres: url: must be a URL such as "postgres://chaos@db:5432/shop"`},
		{object{"fill": object{}, "url": "postgres://a:secret@db/x"}, secret},
		{object{"fill": object{}, "url": "postgres://a@db/x?password=secret"}, secret},
		{object{"fill": object{}, "url": "postgres://a@db/x?sslpassword=secret"}, secret},
		{object{"fill": object{}, "url": "postgres://a@one,two/x"}, "fault postgres: url: names several servers: name one"},
		{object{"fill": object{}, "password_file": "secret"}, "fault postgres: password_file: must be an absolute path"},
		{object{"fill": object{"connections": -1}}, "fault postgres: fill.connections: must not be negative"},
		{object{"terminate": object{}}, "fault postgres: terminate: give at least one of database, user and application"},
		{object{"terminate": object{"user": "x", "max": -1}}, "fault postgres: terminate.max: must not be negative"},
		{object{"lock": object{}}, "fault postgres: lock.table: say which table"},
		{object{"lock": "a; drop table b"}, "fault postgres: lock.table: say which table"},
		{object{"lock": []string{"a", "b"}}, "fault postgres: give one table, or {table: ...}"},
		{object{"server": object{}}, "fault postgres: server.data: must be the absolute path of a data directory"},
		{object{"server": object{"data": "/x", "how": "crash"}}, "fault postgres: server.how: must be kill, immediate or pause"},
		{object{"server": object{"data": "/x"}, "url": "postgres://a@db/x"}, "fault postgres: url: server needs none: it is found by its data directory on this host"},
	} {
		refused(t, c.config, c.want)
	}
}

// TestUnreachable asks servers that are not there, within a few seconds each.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // one that takes connections and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent := l.Addr().String()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	t.Setenv("PGPASSWORD", "hunter2")
	refused(t, object{"fill": object{}, "url": "postgres://x@" + silent + "/x?sslmode=disable"},
		"connect to PostgreSQL at "+silent+" as x: the server does not answer: ...")
	refused(t, object{"lock": "a", "url": "postgres://x@" + nobody + "/x"},
		"connect to PostgreSQL at "+nobody+" as x: the server does not answer: dial tcp "+nobody+": connect: connection refused: check url and network, or PGHOST and PGPORT")
	refused(t, object{"pause_replay": true, "url": "postgres://x@no-such-host.invalid/x"},
		"connect to PostgreSQL at no-such-host.invalid:5432 as x: the server does not answer: ...")
	t.Setenv("PGHOST", "one,two")
	refused(t, object{"fill": object{}}, "the url or PGHOST names several servers: name one")
	refused(t, object{"fill": object{}, "url": "postgres://x@" + nobody, "password_file": "/no/such/file"}, "read password file: open /no/such/file: no such file or directory")
}

// TestRefusals asks a real server for what must not be.
func TestRefusals(t *testing.T) {
	bin := programs(t)
	if bin == "" {
		return
	}
	c := newPrimary(t, bin)
	eyes := c.admin(t)
	do(t, eyes, "create role weak login; create role full login connection limit 1; create table orders (id int); create view sold as select 1", pgx.QueryExecModeSimpleProtocol)
	connect(t, c.url("full"))
	for range 2 {
		connect(t, c.url("admin")+"&application_name=shop")
	}
	connect(t, c.url("admin")+"&application_name=belay%20f9")
	at := fmt.Sprintf("PostgreSQL at 127.0.0.1:%d", c.port)
	as := func(role, action string, config any) object { return object{"url": c.url(role), action: config} }
	for _, r := range []struct {
		config object
		want   string
	}{
		{as("nobody", "fill", object{}), "connect to " + at + ` as nobody: FATAL: role "nobody" does not exist (SQLSTATE 28000): give password_file, or PGPASSWORD or PGPASSFILE in the environment`},
		{as("full", "fill", object{}), "connect to " + at + ` as full: FATAL: too many connections for role "full" (SQLSTATE 53300): there is no connection left for this role`},
		{as("admin", "fill", object{}), "admin is a superuser and would take the connections that are kept for those who repair: use another role, or say connections"},
		{as("weak", "fill", object{"connections": 5000}), "5000 connections are asked for, and " + at + " has ..."},
		{as("admin", "lock", "nothing"), at + ": there is no table nothing in database postgres: name its schema too"},
		{as("admin", "lock", "sold"), `"public"."sold" is no table`},
		{as("weak", "lock", "orders"), `weak may not lock "public"."orders": grant it update, delete or truncate on it`},
		{as("admin", "terminate", object{"application": "nothing"}), "no session has application nothing: `select * from pg_stat_activity` shows them (those of others only to pg_read_all_stats)"},
		{as("admin", "terminate", object{"application": "shop"}), "2 sessions have application shop, and max is 1: raise max if all are meant, or name them more closely"},
		{as("admin", "terminate", object{"application": "belay f9"}), "session ..."},
		{as("weak", "terminate", object{"application": "shop", "max": 2}), "no session has application shop: ..."},
		{as("admin", "pause_replay", true), at + " is no standby: name the standby that is to fall behind"},
	} {
		refused(t, r.config, r.want)
	}
	do(t, eyes, "grant pg_read_all_stats to weak")
	_, _, err := plan(t, as("weak", "terminate", object{"application": "shop", "max": 2}))
	if err == nil || !strings.Contains(err.Error(), "this role may not end it: grant pg_signal_backend, or be a superuser for a superuser's") {
		t.Errorf("sessions of a superuser: %v", err)
	}
	standby := c.standby(t)
	for !answer[bool](t, standby.admin(t), "select pg_is_in_recovery()") {
	}
	refused(t, object{"url": standby.url("weak"), "pause_replay": true},
		fmt.Sprintf("weak may not pause the replay of PostgreSQL at 127.0.0.1:%d: grant it execute on pg_wal_replay_pause() and pg_wal_replay_resume()", standby.port))
	do(t, standby.admin(t), "select pg_wal_replay_pause()")
	until(t, "it is paused", func() bool {
		return answer[string](t, standby.admin(t), "select pg_get_wal_replay_pause_state()") == "paused"
	})
	refused(t, object{"url": standby.url("admin"), "pause_replay": true},
		fmt.Sprintf("the replay of PostgreSQL at 127.0.0.1:%d is paused already", standby.port))
	refuseServers(t, c, standby)
}

// refuseServers names data directories that are none, or not what they seem.
func refuseServers(t *testing.T, c, standby *cluster) {
	server := func(data string) object { return object{"server": object{"data": data, "any_user": true}} }
	empty := t.TempDir()
	refused(t, server(empty), empty+" is no data directory of PostgreSQL that we may read: `show data_directory` tells which one is: ...")
	refused(t, server(standby.data), "the server of "+standby.data+" is a standby: say standby: true if that is meant")
	if _, _, err := plan(t, object{"server": object{"data": standby.data, "any_user": true, "standby": true}}); err != nil {
		t.Errorf("a standby that is meant: %v", err)
	}
	old := filepath.Join(empty, "old")
	stale := func(pid int) {
		if err := os.MkdirAll(old, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"PG_VERSION": "15\n", "postmaster.pid": fmt.Sprintf("%d\n%s\n1700000000\n5432\n/tmp\n127.0.0.1\n  1 2\nready   \n", pid, old)} {
			if err := os.WriteFile(filepath.Join(old, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	dead := exec.Command("true")
	_ = dead.Run()
	stale(dead.Process.Pid)
	refused(t, server(old), fmt.Sprintf("no server runs in %s: process %d of its postmaster.pid has ended", old, dead.Process.Pid))
	me, err := proc.Look(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	stale(me.PID)
	refused(t, server(old), fmt.Sprintf("no server runs in %s: %s is named in its postmaster.pid and is another program", old, me))
	if os.Geteuid() == 0 {
		_, _, err := plan(t, object{"server": object{"data": c.data}})
		if err == nil || !strings.Contains(err.Error(), "say any_user: true if root may hit it") {
			t.Errorf("a server of another user: %v", err)
		}
	}
	c.stop()
	refused(t, server(c.data), "no server runs in "+c.data)
}

// TestPassword logs in by a password that stands in a file, and looks for it in everything that a record or a person sees.
func TestPassword(t *testing.T) {
	bin := programs(t)
	if bin == "" {
		return
	}
	const secret = "correct horse battery"
	c := newPrimary(t, bin)
	do(t, c.admin(t), "create role app login password '"+secret+"'; create table orders (id int); grant all on orders to app", pgx.QueryExecModeSimpleProtocol)
	hba := filepath.Join(c.data, "pg_hba.conf")
	if err := os.WriteFile(hba, []byte("host all admin 127.0.0.1/32 trust\nhost all app 127.0.0.1/32 scram-sha-256\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, c.admin(t), "select pg_reload_conf()")
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := object{"url": c.url("app"), "password_file": file, "lock": "orders"}
	write("wrong " + secret)
	until(t, "passwords are asked for", func() bool { _, err := pgx.Connect(t.Context(), c.url("app")); return err != nil })
	refused(t, config, fmt.Sprintf(`connect to PostgreSQL at 127.0.0.1:%d as app: FATAL: password authentication failed for user "app" (SQLSTATE 28P01): give password_file, or PGPASSWORD or PGPASSFILE in the environment`, c.port))
	write(secret + "\n")
	target, p, err := plan(t, config)
	if err != nil {
		t.Fatal(err)
	}
	said, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Inject(t.Context(), p.Undo, nil); err != nil {
		t.Fatal(err)
	}
	seen, err := target.Confirm(t.Context(), p.Undo)
	if err != nil || seen != `another session could not lock "public"."orders" in access share mode` {
		t.Errorf("confirm: %q, %v", seen, err)
	}
	if strings.Contains(string(said)+string(p.Undo)+seen, "horse") {
		t.Errorf("the password is in %s %s", said, seen)
	}
	if _, err := target.Revert(t.Context(), p.Undo, nil); err != nil {
		t.Error(err)
	}
}

// TestDeadlineAtServer ends a lock at the server when its holder is there but silent: the limit, and five seconds.
func TestDeadlineAtServer(t *testing.T) {
	bin := programs(t)
	if bin == "" {
		return
	}
	c := newPrimary(t, bin)
	eyes := c.admin(t)
	do(t, eyes, "create table orders (id int)")
	target, err := Kinds().Decode(faulttest.Spec(t, object{"postgres": object{"url": c.url("admin"), "lock": object{"table": "orders", "writes_only": true}}}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Inject(t.Context(), p.Undo, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Confirm(t.Context(), p.Undo); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	do(t, eyes, "select * from orders") // reading is allowed
	locked := func() bool {
		return answer[int](t, eyes, "select count(*) from pg_locks where relation = 'orders'::regclass and mode = 'ExclusiveLock'") > 0
	}
	if !locked() {
		t.Error("it is not locked")
	}
	until(t, "the server ends it", func() bool { return !locked() })
	if took := time.Since(began); took < 4*time.Second || took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	out, err := target.Revert(context.Background(), p.Undo, nil)
	if err != nil || len(out.Superseded) != 1 {
		t.Errorf("revert: %+v, %v", out, err)
	}
}
