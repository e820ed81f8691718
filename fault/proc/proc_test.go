package proc_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

func TestSelf(t *testing.T) {
	me, err := proc.Self()
	if err != nil {
		t.Fatal(err)
	}
	i, err := proc.Find(me)
	if err != nil || i.PID != os.Getpid() || i.Parent != os.Getppid() || i.UID != os.Geteuid() {
		t.Errorf("%+v, %v", i, err)
	}
	all, err := proc.Ancestors(os.Getpid())
	if err != nil || all[0] != os.Getpid() || !slices.Contains(all, os.Getppid()) {
		t.Errorf("ancestors are %v, %v", all, err)
	}
}

// TestOddName reads a process whose name looks like the rest of the line.
func TestOddName(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(t.TempDir(), "a) S 1 (b")
	b, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(odd, b, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: odd, Args: []string{"sleep", "600"}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i, err := proc.Look(cmd.Process.Pid)
	if err != nil || i.Name != "a) S 1 (b" || i.Parent != os.Getpid() {
		t.Errorf("%+v, %v (on %s)", i, err, runtime.GOOS)
	}
	if err := proc.Signal(i.Process, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	// Nobody has asked for its exit status yet: it is over all the same.
	if err := proc.WaitGone(t.Context(), i.Process); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if _, err := proc.Find(i.Process); !errors.Is(err, proc.ErrGone) {
		t.Errorf("find: %v, want gone", err)
	}
	if err := proc.Signal(i.Process, unix.SIGKILL); !errors.Is(err, proc.ErrGone) {
		t.Errorf("signal: %v, want gone", err)
	}
}
