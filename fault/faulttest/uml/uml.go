// Package uml runs tests inside a Linux kernel of their own, for what the kernel of this machine has not: netem, cgroup v2
// controllers, device-mapper. It boots Debian's user-mode-linux, which is one ordinary process, on this machine's own files,
// read-only, and runs this same test binary in it. It must never leave a process or a file behind. Start at Run.
//
// Inside, only /tmp, /run, /var/tmp, /dev and the kernel's own file systems can be written, there is one processor, a system call takes ten
// times as long, and everything is gone when the tests end. It works as root and as a normal user; inside, all are root.
package uml

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideVar says to a test binary that it runs inside.
const insideVar = "BELAY_UML"

// Options say what is run inside, and with what.
type Options struct {
	// Modules are kernel modules to load, by name: "sch_netem". Those that they need are loaded too.
	Modules []string
	// Run selects tests as go test -run does. Empty means the test that calls, and nothing else.
	Run string
	// Timeout bounds all of it; 0 means two minutes.
	Timeout time.Duration
	// Memory is how many MiB the kernel inside has; 0 means 1024.
	Memory int
	// Env are more variables for the tests inside: "NAME=value".
	Env []string
}

// Inside says that this process runs in the kernel of its own.
func Inside() bool { return os.Getenv(insideVar) != "" }

// Run boots a kernel, runs the tests in it, and fails as they do. Where a part is missing, it says so loudly and returns;
// with CI=true that is a failure. Tests that are for inside return at once when Inside is false; a test that is for both
// may begin with
//
//	if !uml.Inside() {
//		uml.Run(t, uml.Options{Modules: []string{"sch_netem"}})
//		return
//	}
func Run(t *testing.T, o Options) {
	t.Helper()
	if Inside() {
		t.Fatal("this test is inside already")
	}
	if why := missing(); why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s, and CI needs it: run tools/parts", why)
		}
		t.Logf("NOT TESTED: %s. `apt-get install user-mode-linux kmod` helps.", why)
		return
	}
	if o.Run == "" {
		o.Run = exactly(t.Name())
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Memory == 0 {
		o.Memory = 1024
	}
	binary := static(t)
	began := time.Now()
	code, out := boot(t, o, binary)
	switch {
	case code < 0:
		t.Fatalf("the kernel inside did not come to the end of the tests within %s:\n%s", o.Timeout, out)
	case code != 0:
		t.Fatalf("inside, the tests ended with %d:\n%s", code, out)
	case !strings.Contains(out, "--- PASS"):
		t.Fatalf("inside, no test was run:\n%s", out)
	}
	t.Logf("inside, after %s:\n%s", time.Since(began).Round(time.Millisecond), out)
}

// exactly is the pattern for one test, or one subtest.
func exactly(name string) string {
	parts := strings.Split(name, "/")
	for n, p := range parts {
		parts[n] = "^" + p + "$"
	}
	return strings.Join(parts, "/")
}

// missing says which part this machine has not.
func missing() string {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "user-mode-linux is only for Linux on amd64"
	}
	if _, err := os.Stat(modules); err != nil {
		return "user-mode-linux is not installed"
	}
	for _, program := range []string{"linux.uml", "modprobe", "ip"} {
		if _, err := find(program); err != nil {
			return program + " is not installed"
		}
	}
	return ""
}

// find looks also where the path of a normal user does not lead.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", program))
}

// boot returns what the tests inside ended with, or -1 when they did not, and all that was said.
func boot(t *testing.T, o Options, binary string) (int, string) {
	t.Helper()
	dir := t.TempDir()
	end := "uml-" + rand.Text()
	if err := os.WriteFile(filepath.Join(dir, "init"), []byte(o.script(binary, end)), 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := find("linux.uml")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "mem="+strconv.Itoa(o.Memory)+"M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
		"init="+filepath.Join(dir, "init"), "con0=null,fd:1", "con=null", "quiet", "loglevel=3", "uml_dir="+dir, "umid=x", "panic=-1")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "HOME="+dir)
	// The console is a file and not a pipe, so that no descendant can keep us waiting.
	console, err := os.Create(filepath.Join(dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	cmd.Stdout, cmd.Stderr = console, console
	ctx, cancel := context.WithTimeout(t.Context(), o.Timeout)
	defer cancel()
	if err := alone(ctx, cmd); err != nil {
		t.Fatalf("boot: %v", err)
	}
	out, err := io.ReadAll(io.NewSectionReader(console, 0, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	return parse(string(bytes.ReplaceAll(out, []byte("\r"), nil)), end)
}

// alone runs a command in a session of its own, and ends all of the session with it. It also ends when this process does.
func alone(ctx context.Context, cmd *exec.Cmd) error {
	runtime.LockOSThread() // its death signal comes when this thread ends
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = deathSignal()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer endSession(cmd.Process.Pid)
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		endSession(cmd.Process.Pid)
		close(done)
	})
	_ = cmd.Wait() // the console says how it went
	if !stop() {
		<-done
	}
	return nil
}

// endSession kills every process of one session, which is our own child's, and waits until none is left.
func endSession(session int) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		left := members(session)
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// members are the processes of a session that have not ended.
func members(session int) []int {
	entries, _ := os.ReadDir("/proc")
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		// After the name in parentheses: state, parent, group, session.
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(f) > 3 && f[3] == strconv.Itoa(session) && f[0] != "Z" && f[0] != "X" {
			out = append(out, pid)
		}
	}
	return out
}

// parse finds the tests' exit status on the console, and what was said before it.
func parse(console, end string) (int, string) {
	console, rest, ok := strings.Cut(console, "\n"+end+" ")
	if !ok {
		return -1, console
	}
	line, _, _ := strings.Cut(rest, "\n")
	code, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return -1, fmt.Sprintf("%s\n%s", console, rest)
	}
	if _, after, ok := strings.Cut(console, begins+"\n"); ok && code == 0 {
		console = after
	}
	return code, console
}
