package faulttest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/proc"
)

// Rig is one real thing to break, and eyes that do not use the target's own code.
type Rig struct {
	// Kinds are the faults among which the spec's is.
	Kinds fault.Kinds
	Spec  fault.Spec
	// Broken says whether the effect is there.
	Broken func() bool
	// Change is what a recovery does while the fault is held. Intact then says that its work is still there.
	Change func()
	Intact func() bool
	// Remove takes the whole target away while the fault is held.
	Remove func()
	// OneShot says that nothing takes the effect back.
	OneShot bool
	// KernelEnds says that the effect goes with the holder, although nobody reverts it.
	KernelEnds bool
	// Within is how soon after a death the record must say that the fault is over, where that takes more than a second: because
	// somebody else's API or another host has to be asked.
	Within time.Duration
}

// Spec makes a spec from JSON such as {"file": {"lost": "/x"}}.
func Spec(t testing.TB, v any) fault.Spec {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var s fault.Spec
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// stateDir is an undo directory of its own.
func stateDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "belay-holds-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A reaper that was just being started when its holder was killed may still write here, once.
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if err := os.RemoveAll(dir); err == nil || time.Now().After(end) {
				return
			}
		}
	})
	return filepath.Join(dir, "holds")
}

func request(r Rig) hold.Request {
	return hold.Request{ID: "f1", NoPlaybook: "conformance", Fault: r.Spec, Limit: time.Minute}
}

// run is a runner process with its holder and reaper.
type run struct {
	t      testing.TB
	dir    string
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
	paused string
	slept  string
	exited chan struct{}
}

// start starts a runner whose holder stops at a point; an empty point never comes.
func start(t testing.TB, dir string, r hold.Request, point string) *run {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	x := &run{t: t, dir: dir, paused: filepath.Join(t.TempDir(), "paused"), slept: filepath.Join(t.TempDir(), "slept"), exited: make(chan struct{})}
	x.cmd = exec.Command(path, asRunner)
	x.cmd.Env = append(os.Environ(), "BELAY_STATE_DIR="+dir, pauseVar+"="+point, pausedVar+"="+x.paused, sleptVar+"="+x.slept)
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	x.cmd.Stdin = strings.NewReader(string(line) + "\n")
	x.cmd.Stdout, x.cmd.Stderr = &x.stdout, &x.stderr
	x.cmd.WaitDelay = time.Second
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = x.cmd.Wait(); close(x.exited) }()
	t.Cleanup(x.end)
	return x
}

// end kills whoever still lives and waits until they are gone: they write into directories that are removed next.
func (x *run) end() {
	pids := []int{x.pid("runner"), x.pid("holder"), x.reaper()}
	for _, who := range []string{"runner", "holder", "reaper"} {
		x.kill(who)
	}
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		if !runs(pids[0]) && !runs(pids[1]) && !runs(pids[2]) {
			return
		}
	}
}

// reached waits until the holder stands at its point.
func (x *run) reached() {
	x.t.Helper()
	x.until("the holder reaches its point", 20*time.Second, func() bool { _, err := os.Stat(x.paused); return err == nil })
}

// goOn lets a stopped holder go on.
func (x *run) goOn() {
	x.t.Helper()
	if err := os.Remove(x.paused); err != nil {
		x.t.Fatal(err)
	}
}

// held waits until the fault is held.
func (x *run) held() {
	x.t.Helper()
	x.until("the fault is held", 20*time.Second, func() bool {
		st, _, err := hold.Find(x.dir, "f1")
		return err == nil && st.State == fault.Held
	})
}

func (x *run) until(what string, limit time.Duration, done func() bool) time.Duration {
	x.t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > limit {
			b, _ := os.ReadFile(filepath.Join(x.dir, "f1.json"))
			x.t.Fatalf("not within %s: %s\nrecord: %s\nrunner: %s", limit, what, b, x.stderr.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// pid is the process ID of the runner, the holder or the reaper; 0 when there is none yet.
func (x *run) pid(who string) int {
	if who == "runner" {
		return x.cmd.Process.Pid
	}
	if who == "reaper" {
		return x.reaper()
	}
	b, err := os.ReadFile(filepath.Join(x.dir, "f1.json"))
	if err != nil {
		return 0
	}
	var rec struct {
		Holder struct {
			PID int `json:"pid"`
		} `json:"holder"`
	}
	_ = json.Unmarshal(b, &rec)
	return rec.Holder.PID
}

// reaper finds the living reaper by its command line, because a holder may have armed another one.
func (x *run) reaper() int {
	// A tracer in this process may have taken the exit status; what was said counts.
	out, err := exec.Command("ps", "-A", "-o", "pid=,args=").Output()
	if err != nil && len(out) == 0 {
		x.t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		pid, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(pid); err == nil && strings.Contains(args, asHolder+" reap "+x.dir) {
			return n
		}
	}
	return 0
}

// kill kills as kill -9 does.
func (x *run) kill(who string) { x.signal(who, syscall.SIGKILL) }

// killAll kills all three so that none of them can help. The holder is frozen first, or it would arm another reaper, and
// killed last, or the others would see it die. It returns when they are gone.
func (x *run) killAll() {
	x.t.Helper()
	x.signal("holder", syscall.SIGSTOP)
	holder := x.pid("holder")
	x.kill("reaper")
	x.until("the reaper is gone", time.Second, func() bool { return !runs(x.reaper()) })
	x.kill("runner")
	<-x.exited
	x.kill("holder")
	x.until("the holder is gone", time.Second, func() bool { return !runs(holder) })
}

// runs says that there is such a process and that it has not ended.
func runs(pid int) bool {
	if pid == 0 {
		return false
	}
	i, err := proc.Look(pid)
	return err == nil && !i.Over()
}

func (x *run) signal(who string, sig syscall.Signal) {
	if pid := x.pid(who); pid > 1 && ours(pid, who, x) {
		_ = syscall.Kill(pid, sig)
	}
}

// ours makes sure that a test never signals a process that is not its own.
func ours(pid int, who string, x *run) bool {
	if who == "runner" {
		select {
		case <-x.exited:
			return false
		default:
			return true
		}
	}
	out, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), asHolder)
}

// settled waits until the record says that nothing is held any more.
func (x *run) settled(limit time.Duration) fault.Status {
	x.t.Helper()
	var st fault.Status
	x.until("the fault has ended", limit, func() bool {
		s, found, err := hold.Find(x.dir, "f1")
		st = s
		return err == nil && found && ended(s.State)
	})
	return st
}

func ended(s fault.State) bool {
	return s == fault.Reverted || s == fault.Superseded || s == fault.Ended || s == fault.Failed
}
