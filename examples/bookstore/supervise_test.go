package bookstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asBookstore makes the test's own program the bookstore, so that components are real processes.
const asBookstore = "BOOKSTORE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asBookstore) != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Setenv(asBookstore, "1")
	os.Exit(m.Run())
}

// shop is a running Bookstore of a test's own.
type shop struct {
	*testing.T
	at   layout
	info *Info
}

func startShop(t *testing.T) shop {
	t.Helper()
	return startShopIn(t, t.TempDir(), Options{SnapshotEvery: time.Hour, SnapshotCopy: 20 * time.Millisecond})
}

func startShopIn(t *testing.T, dir string, o Options) shop {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Exe, o.Delay = dir, []string{exe}, time.Millisecond
	info, err := Up(t.Context(), o)
	t.Cleanup(func() {
		if err := Down(context.Background(), dir); err != nil {
			t.Errorf("down: %v", err)
		}
		if t.Failed() {
			for _, name := range []string{"supervisor", API, Database, CDN} {
				if b, _ := os.ReadFile(layout(dir).log(name)); len(b) > 0 {
					t.Logf("%s: %s", name, b)
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return shop{t, layout(info.Dir), info}
}

// do runs one command of the bookstore, as a step of the playbook does, and returns its output.
func (s shop) do(args ...string) (string, error) {
	out, err := exec.Command(s.at.command(), args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (s shop) must(args ...string) string {
	s.Helper()
	out, err := s.do(args...)
	if err != nil {
		s.Fatalf("bookstore %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s shop) get(url string) string {
	body, err := get(s.Context(), url)
	if err != nil {
		return err.Error()
	}
	return body
}

// add writes an author through the API.
func (s shop) add(name string) error {
	body := fmt.Sprintf(`{"last_name": %q, "birth_date": "2000-01-01"}`, name)
	response, err := http.Post(s.info.APIURL+"/authors/", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("POST /authors/: %s", response.Status)
	}
	return nil
}

// authors are the last names in the shop.
func (s shop) authors() []string {
	s.Helper()
	var all []struct {
		LastName string `json:"last_name"`
	}
	if err := json.Unmarshal([]byte(s.get(s.info.APIURL+"/authors/")), &all); err != nil {
		s.Fatal(err)
	}
	names := []string{}
	for _, a := range all {
		names = append(names, a.LastName)
	}
	return names
}

func (s shop) pid(component string) int {
	s.Helper()
	b, err := os.ReadFile(s.at.pid(component))
	if err != nil {
		s.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		s.Fatal(err)
	}
	return pid
}

// truth returns the lines about a component.
func (s shop) truth(component string) []Truth {
	s.Helper()
	b, err := os.ReadFile(s.at.truth())
	if err != nil {
		s.Fatal(err)
	}
	var lines []Truth
	for line := range bytes.Lines(b) {
		var l Truth
		if err := json.Unmarshal(line, &l); err != nil {
			s.Fatalf("truth.jsonl: %q: %v", line, err)
		}
		if l.Service == component {
			lines = append(lines, l)
		}
	}
	return lines
}

func (s shop) states(component string) string {
	s.Helper()
	var states []string
	for _, l := range s.truth(component) {
		states = append(states, l.State)
	}
	return strings.Join(states, " ")
}

// until waits for something that takes other processes a moment.
func (s shop) until(what string, holds func() bool) {
	s.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("not in time: %s", what)
		}
	}
}

// TestTruth kills the API ten times and compares the truth with what was done, and with what a client sees.
func TestTruth(t *testing.T) {
	s := startShop(t)
	for i := range 10 {
		killed := time.Now().UnixNano()
		if err := syscall.Kill(s.pid(API), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.until("down in the truth", func() bool { return len(s.truth(API)) == 2+2*i })
		down := s.truth(API)[1+2*i]
		if down.State != "down" || down.T < killed || down.T > time.Now().UnixNano() {
			t.Fatalf("killed at %d, the truth says %+v", killed, down)
		}
		if body := s.get(s.info.APIURL + "/version/"); !strings.Contains(body, "refused") {
			t.Fatalf("the API is down and answers %s", body)
		}
		if _, err := os.Stat(s.at.pid(API)); !os.IsNotExist(err) {
			t.Errorf("the dead API has a pid file: %v", err)
		}
		// A client that asks without a pause is answered after the instant called up, and never before.
		answered := make(chan int64, 1)
		go func() {
			for {
				if _, err := get(context.Background(), s.info.APIURL+"/version/"); err == nil {
					answered <- time.Now().UnixNano()
					return
				}
			}
		}()
		before := time.Now().UnixNano()
		s.must("restart", "api")
		lines := s.truth(API)
		if len(lines) != 3+2*i {
			t.Fatalf("after the restart the truth has %d lines: %v", len(lines), lines)
		}
		up := lines[2+2*i]
		if first := <-answered; up.State != "up" || up.T < before || up.T > first {
			t.Fatalf("restarted after %d, first answered at %d, the truth says %+v", before, first, up)
		}
	}
}

// TestCDNTruth wants the CDN's truth to follow its bucket, although the process lives on.
func TestCDNTruth(t *testing.T) {
	s := startShop(t)
	s.until("up", func() bool { return s.states(CDN) == "up" })
	pid := s.pid(CDN)
	before := time.Now().UnixNano()
	if err := os.Rename(s.at.bucket(), s.at.path("lost")); err != nil {
		t.Fatal(err)
	}
	after := time.Now().UnixNano()
	s.until("down", func() bool { return s.states(CDN) == "up down" })
	if down := s.truth(CDN)[1]; down.T < before || down.T > after+int64(200*time.Millisecond) {
		t.Errorf("the bucket went in [%d, %d], the truth says %d", before, after, down.T)
	}
	if out, err := s.do("verify-bucket"); err == nil {
		t.Errorf("verify-bucket finds nothing wrong: %s", out)
	}
	s.must("recreate-bucket")
	s.must("upload")
	s.must("verify-bucket")
	s.until("up again", func() bool { return s.states(CDN) == "up down up" })
	if s.pid(CDN) != pid {
		t.Error("the CDN was restarted")
	}
	s.must("stop", "cdn")
	s.must("start", "cdn")
	s.until("up after a restart", func() bool { return s.states(CDN) == "up down up down up" })
}

// TestRestoreLosesTheLaterRows wants a restore to bring back exactly the rows of the latest complete snapshot.
func TestRestoreLosesTheLaterRows(t *testing.T) {
	s := startShop(t)
	for _, name := range []string{"Early", "Kept"} {
		if err := s.add(name); err != nil {
			t.Fatal(err)
		}
	}
	latest := s.must("snapshot")
	if err := s.add("Lost"); err != nil {
		t.Fatal(err)
	}
	if out, err := s.do("restore"); err == nil {
		t.Fatalf("a running database was overwritten: %s", out)
	}
	if err := os.Rename(s.at.data(), s.at.path("gone")); err != nil {
		t.Fatal(err)
	}
	s.until("the database notices", func() bool { return s.states(Database) == "up down" })
	if err := s.add("Refused"); err == nil {
		t.Error("a write was acknowledged while the database was down")
	}
	if out, err := s.do("restart", "database"); err == nil || !strings.Contains(out, "data file is missing") {
		t.Errorf("restarting without data: %v: %s", err, out)
	}
	s.must("replace", "database")
	if out := s.must("restore"); out != "restored "+latest {
		t.Errorf("%s, want %s", out, latest)
	}
	s.must("start", "database")
	if got, want := s.authors(), []string{"Early", "Kept", "King"}; !slices.Equal(got, want) {
		t.Errorf("after the restore there are %v, want %v", got, want)
	}
	if got := s.states(Database); got != "up down up" {
		t.Errorf("the truth about the database is %q", got)
	}
	if got := s.states(API); got != "up" {
		t.Errorf("the truth about the API is %q: its process never stopped", got)
	}
}

// TestReplacementIsEmpty wants a replacement that nobody restored to have no rows, and the old data to be kept.
func TestReplacementIsEmpty(t *testing.T) {
	s := startShop(t)
	if out, err := s.do("replace", "database"); err == nil {
		t.Fatalf("a running database was replaced: %s", out)
	}
	s.must("stop", "database")
	if out := s.must("replace", "database"); !strings.Contains(out, "the old data is kept in") {
		t.Error(out)
	}
	s.must("start", "database")
	if got := s.get(s.info.APIURL + "/books/"); got != "[]" {
		t.Errorf("the replacement has %s", got)
	}
}

// TestServerReplaced follows the API's scenario to its end: neither restart helps, because the program itself is gone.
func TestServerReplaced(t *testing.T) {
	s := startShop(t)
	if out, err := s.do("replace", "api"); err == nil {
		t.Fatalf("a running API was replaced: %s", out)
	}
	for _, lose := range []func() error{
		func() error { return os.Remove(s.at.binary()) },
		func() error { return syscall.Kill(s.pid(API), syscall.SIGKILL) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
	}
	s.until("the API is down", func() bool { return s.states(API) == "up down" })
	if out, err := s.do("status"); err == nil {
		t.Fatalf("the program is gone and runs: %s", out)
	}
	if err := control(t.Context(), s.info, "restart", API); err == nil {
		t.Fatal("the program is gone and the API starts")
	}
	// The operator's own copy of the command does what the lost one cannot.
	own := exec.Command(os.Args[0], "replace", "api", "--dir", string(s.at))
	if out, err := own.CombinedOutput(); err != nil {
		t.Fatalf("replace: %v: %s", err, out)
	}
	s.must("start", "api")
	if got := s.states(API); got != "up down up" {
		t.Errorf("the truth about the API is %q", got)
	}
}

// TestSnapshotsAreOlderThanTheirCopy wants no snapshot to count before its copy is complete: that is what makes a restore
// lose what was written last.
func TestSnapshotsAreOlderThanTheirCopy(t *testing.T) {
	const copyTime = 300 * time.Millisecond
	s := startShopIn(t, t.TempDir(), Options{SnapshotEvery: 10 * time.Millisecond, SnapshotCopy: copyTime})
	s.until("enough snapshots to drop some", func() bool {
		names, err := listSnapshots(s.at.snapshots())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names[max(0, len(names)-1):] {
			begun, err := time.Parse("20060102T150405.000000000Z.db", name)
			if err != nil {
				t.Fatal(err)
			}
			if age := time.Since(begun); age < copyTime {
				t.Fatalf("snapshot %s counts after %v, its copy takes %v", name, age, copyTime)
			}
		}
		return len(names) == snapshotsKept
	})
}

// TestUpTwice wants a second Up to change nothing, and one after a failure to start what has failed.
func TestUpTwice(t *testing.T) {
	dir := t.TempDir()
	s := startShopIn(t, dir, Options{})
	pids := []int{s.pid(API), s.pid(Database), s.pid(CDN)}
	again := startShopIn(t, dir, Options{SnapshotEvery: time.Minute})
	if again.info.String() != s.info.String() || again.info.SnapshotEvery != s.info.SnapshotEvery {
		t.Errorf("the second Up gives %+v, the first %+v", again.info, s.info)
	}
	if !s.info.Started() || again.info.Started() {
		t.Errorf("started by the first Up: %v, by the second: %v", s.info.Started(), again.info.Started())
	}
	if now := []int{s.pid(API), s.pid(Database), s.pid(CDN)}; !slices.Equal(now, pids) {
		t.Errorf("the processes were %v and are %v", pids, now)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.until("the API is down", func() bool { return s.states(API) == "up down" })
	time.Sleep(50 * time.Millisecond) // long enough for a restart that must not come
	if s.states(API) != "up down" {
		t.Fatal("the supervisor restarted the API by itself")
	}
	startShopIn(t, dir, Options{})
	if got := s.states(API); got != "up down up" {
		t.Errorf("after Up the truth about the API is %q", got)
	}
}

// TestDownLeavesNothing wants no process and no pid file after Down, and the same ports and rows after the next Up.
func TestDownLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := startShopIn(t, dir, Options{})
	if err := s.add("Stays"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Down(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	s.nothingLeft()
	if out, err := s.do("restart", "api"); err == nil || !strings.Contains(out, "bookstore up") {
		t.Errorf("an order without a supervisor: %v: %s", err, out)
	}
	again := startShopIn(t, dir, Options{})
	if *again.info != *s.info {
		t.Errorf("after Down and Up: %+v, before: %+v", again.info, s.info)
	}
	if got := s.authors(); !slices.Contains(got, "Stays") {
		t.Errorf("after Down and Up there are %v", got)
	}
}

// TestSupervisorKilled wants the components to end with their supervisor, and nothing stale to stop the next Up.
func TestSupervisorKilled(t *testing.T) {
	dir := t.TempDir()
	s := startShopIn(t, dir, Options{})
	out, err := exec.Command("ps", "-o", "ppid=", "-p", strconv.Itoa(s.pid(API))).Output()
	if err != nil {
		t.Fatal(err)
	}
	supervisor, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.until("all components end", func() bool {
		return stopped(s.info, API) == nil && stopped(s.info, Database) == nil && stopped(s.info, CDN) == nil
	})
	startShopIn(t, dir, Options{})
	if err := Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	s.nothingLeft()
}

// TestDirectoryRemoved wants the Bookstore to end when its directory goes, so that a forgotten one leaves no processes.
func TestDirectoryRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	s := startShopIn(t, dir, Options{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.until("all components end", func() bool {
		return stopped(s.info, API) == nil && stopped(s.info, Database) == nil && stopped(s.info, CDN) == nil
	})
}

// TestDatabaseURLOfTheEnvironment wants a demo to leave somebody's real database alone.
func TestDatabaseURLOfTheEnvironment(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
	s := startShop(t)
	if got := s.authors(); !slices.Equal(got, []string{"King"}) {
		t.Errorf("the authors are %v", got)
	}
}

// TestUpOnPostgres wants the whole shop to work on PostgreSQL.
func TestUpOnPostgres(t *testing.T) {
	url, ok := startPostgres(t)
	if !ok {
		return
	}
	s := startShopIn(t, t.TempDir(), Options{DatabaseURL: url})
	if err := s.add("Austen"); err != nil {
		t.Fatal(err)
	}
	if got := s.authors(); !slices.Equal(got, []string{"Austen", "King"}) {
		t.Errorf("the authors are %v", got)
	}
	if got := s.states(Database); got != "" {
		t.Errorf("there is a database component: %s", got)
	}
}

// nothingLeft looks for processes that name the directory, and for pid files.
func (s shop) nothingLeft() {
	s.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,args=").Output()
	if err != nil {
		s.Fatal(err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, string(s.at)) && !strings.Contains(line, "<defunct>") {
			s.Errorf("a process is left: %s", line)
		}
	}
	left, err := filepath.Glob(s.at.path("run", "*.pid"))
	if err != nil || len(left) > 0 {
		s.Errorf("pid files are left: %v %v", left, err)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{}, 0, "Usage: bookstore COMMAND"},
		{[]string{"resurect"}, 2, `unknown command "resurect"`},
		{[]string{"restart"}, 2, "name one component"},
		{[]string{"restart", "--dir"}, 2, "--dir needs a directory"},
		{[]string{"status", "--dir", "/nonexistent"}, 1, "read bookstore"},
		{[]string{"status", "--colour"}, 2, "usage: bookstore status"},
	} {
		var out bytes.Buffer
		if code := Main(test.args, strings.NewReader(""), &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("bookstore %s: %d: %s, want %d: %s", strings.Join(test.args, " "), code, out.String(), test.code, test.want)
		}
	}
}
