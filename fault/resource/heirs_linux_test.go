package resource_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// softLimitOf is how many a process may have open.
func softLimitOf(t testing.TB, pid int) uint64 {
	t.Helper()
	var now unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &now); err != nil {
		t.Fatal(err)
	}
	return now.Cur
}

// TestHeirs gives the limit back also to what was started under it, and to nobody else.
func TestHeirs(t *testing.T) {
	// Each line starts one process; "alone" lets go of it first, and "low" gives it a limit of its own.
	cmd := exec.Command("sh", "-c", `while read how; do case $how in
child) sleep 600 & echo $! ;;
alone) sh -c 'sleep 600 & echo $!' ;;
low) (ulimit -Sn 40; sleep 600 & echo $!) ;;
esac; done`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL); _ = cmd.Wait() })
	lines := bufio.NewReader(out)
	start := func(how string) int {
		t.Helper()
		if _, err := fmt.Fprintln(in, how); err != nil {
			t.Fatal(err)
		}
		text, err := lines.ReadString('\n')
		pid, err2 := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return pid
	}
	normal, before := softLimitOf(t, cmd.Process.Pid), start("child")
	f := inject(t, "fd_exhaustion", object{"pid": cmd.Process.Pid, "leave": 20})
	child, alone, low := start("child"), start("alone"), start("low")
	limit := softLimitOf(t, cmd.Process.Pid)
	for name, pid := range map[string]int{"child": child, "alone": alone} {
		if now := softLimitOf(t, pid); now != limit || limit >= normal {
			t.Errorf("%s has %d, and the fault %d of %d", name, now, limit, normal)
		}
	}
	if left, err := f.Residue(t.Context(), f.undo); err != nil || len(left) != 3 {
		t.Errorf("while it is held there is left %q, %v", left, err)
	}
	own := softLimitOf(t, low)
	f.revert(t)
	for name, pid := range map[string]int{"victim": cmd.Process.Pid, "before": before, "child": child, "alone": alone} {
		if now := softLimitOf(t, pid); now != normal {
			t.Errorf("%s may have %d descriptors afterwards, want %d", name, now, normal)
		}
	}
	if now := softLimitOf(t, low); now != own {
		t.Errorf("what has a limit of its own has %d, want %d", now, own)
	}
}
