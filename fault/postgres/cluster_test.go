package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
)

func TestMain(m *testing.M) { faulttest.Main(m, Kinds(), fault.Workers{}) }

type object = map[string]any

// programs is where initdb and pg_ctl are. Without them a test fails when CI=true; otherwise it says so.
func programs(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/opt/homebrew/opt/postgresql@*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			slices.Sort(found)
			return filepath.Dir(found[len(found)-1])
		}
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb)
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("find initdb (install the package postgresql)")
	}
	t.Log("NOT TESTED on PostgreSQL: there is no initdb")
	return ""
}

// cluster is a PostgreSQL of the test's own.
type cluster struct {
	t         testing.TB
	bin       string
	dir, data string
	port      int
	as        *syscall.Credential
}

// newCluster makes room for a cluster. Its path is short: the names of sockets have at most 104 characters.
func newCluster(t testing.TB, bin string) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "belay-pg-")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, bin: bin, dir: dir, data: filepath.Join(dir, "data")}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Geteuid() == 0 { // the server refuses to run as root
		c.as = unprivileged(t)
		if err := os.Chown(dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	return c
}

// newPrimary makes and starts a cluster that a standby can follow.
func newPrimary(t testing.TB, bin string) *cluster {
	c := newCluster(t, bin)
	c.run(t, "initdb", "--pgdata="+c.data, "--username=admin", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	c.start(t)
	return c
}

// start starts the server, for as long as the test for which the cluster was made.
func (c *cluster) start(t testing.TB) {
	t.Helper()
	c.run(t, "pg_ctl", "--pgdata="+c.data, "--log="+filepath.Join(c.dir, "server.log"), "--wait", "--timeout=60",
		fmt.Sprintf("--options=-F -p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c wal_keep_size=64MB", c.port, c.dir), "start")
	c.t.Cleanup(func() { c.stop() })
}

// stop stops the server, if it runs.
func (c *cluster) stop() {
	_, _ = c.try("pg_ctl", "--pgdata="+c.data, "--mode=immediate", "--wait", "stop")
}

func (c *cluster) run(t testing.TB, name string, args ...string) {
	t.Helper()
	if said, err := c.try(name, args...); err != nil {
		server, _ := os.ReadFile(filepath.Join(c.dir, "server.log"))
		t.Fatalf("%s: %v\n%s%s", name, err, said, server)
	}
}

// try runs a program of PostgreSQL and returns what it said.
func (c *cluster) try(name string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+c.dir)
	if c.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	// The server keeps its standard output open, so it gets a file and no pipe.
	log := filepath.Join(c.dir, name+".out")
	out, err := os.Create(log)
	if err != nil {
		return "", err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, _ := os.ReadFile(log)
	return string(text), err
}

// standby is a new cluster that follows this one.
func (c *cluster) standby(t testing.TB) *cluster {
	s := newCluster(t, c.bin)
	s.run(t, "pg_basebackup", "--pgdata="+s.data, "--write-recovery-conf", "--no-sync", "--checkpoint=fast", "--dbname="+c.url("admin"))
	s.start(t)
	return s
}

func (c *cluster) url(role string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/postgres?sslmode=disable", role, c.port)
}

// admin is a session of the superuser. Tests look through it, and not through our own code.
func (c *cluster) admin(t testing.TB) *pgx.Conn {
	return connect(t, c.url("admin")+"&application_name=eyes")
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func do(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// answer is one value.
func answer[T any](t testing.TB, conn *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// unprivileged is the user postgres, or nobody.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if errors.Join(err1, err2) == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("there is no unprivileged user to run PostgreSQL as")
	return nil
}

// fresh is a name that nothing has yet.
func fresh(kind string) string { return kind + "_" + strings.ToLower(rand.Text()[:8]) }

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
