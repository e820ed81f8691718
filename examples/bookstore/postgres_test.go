package bookstore

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// startPostgres starts a PostgreSQL of the test's own in a temporary directory and returns its URL. Without its programs
// the test fails when CI=true; otherwise it says so and returns false.
func startPostgres(t *testing.T) (url string, ok bool) {
	t.Helper()
	bin, err := postgresBin()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Logf("NOT TESTED on PostgreSQL: %v", err)
		return "", false
	}
	dir, err := os.MkdirTemp("/tmp", "bookstore-pg-") // a short path: sockets have at most 104 characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var as *syscall.Credential
	if os.Geteuid() == 0 { // the server refuses to run as root
		as = unprivileged(t)
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
		if as != nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		}
		// The server keeps its standard output open, so it gets a file and no pipe.
		log := filepath.Join(dir, name+".out")
		out, err := os.Create(log)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			text, _ := os.ReadFile(log)
			server, _ := os.ReadFile(filepath.Join(dir, "server.log"))
			t.Fatalf("%s: %v\n%s%s", name, err, text, server)
		}
	}
	addresses, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(addresses[0], ":")
	data := filepath.Join(dir, "data")
	run("initdb", "--pgdata="+data, "--username=books", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	run("pg_ctl", "--pgdata="+data, "--log="+filepath.Join(dir, "server.log"), "--wait", "--timeout=60",
		"--options=-F -p "+port+" -c listen_addresses=127.0.0.1 -c unix_socket_directories="+dir, "start")
	t.Cleanup(func() { run("pg_ctl", "--pgdata="+data, "--mode=immediate", "--wait", "stop") })
	return fmt.Sprintf("postgres://books@127.0.0.1:%s/postgres?sslmode=disable", port), true
}

// postgresBin finds the directory of initdb and pg_ctl: the newest of Debian's, Homebrew's, or what is in PATH.
func postgresBin() (string, error) {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/opt/homebrew/opt/postgresql@*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		found, err := filepath.Glob(pattern)
		if err == nil && len(found) > 0 {
			sort.Strings(found)
			return filepath.Dir(found[len(found)-1]), nil
		}
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("find PostgreSQL's initdb (install the package postgresql): %w", err)
	}
	return filepath.Dir(initdb), nil
}

// unprivileged is the user postgres, or nobody.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("there is no unprivileged user to run PostgreSQL as")
	return nil
}
