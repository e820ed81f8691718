package hold_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/targets"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/hold"
)

func TestMain(m *testing.M) { faulttest.Main(m, targets.Host(), targets.Workers()) }

// binary builds belay-hold once.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "belay-hold")
	cmd := exec.Command("go", "build", "-o", path, "github.com/belay-dr/belay/cmd/belay-hold")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// place makes a file to lose.
func place(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "top", "file")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("original"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func line(path, more string) string {
	return fmt.Sprintf(`{"no_playbook": "test", "fault": {"file": {"lost": %q}}, "limit": "30s"%s}`+"\n", path, more)
}

// TestProcess talks to the holder as a shell script or another machine would: lines in, lines out, exit codes.
func TestProcess(t *testing.T) {
	exe := binary(t)
	type step func(t *testing.T, in io.WriteCloser, out *bufio.Scanner, cmd *exec.Cmd)
	event := func(want string) step {
		return func(t *testing.T, _ io.WriteCloser, out *bufio.Scanner, _ *exec.Cmd) {
			t.Helper()
			if !out.Scan() {
				t.Fatalf("no line, want %s", want)
			}
			var e hold.Event
			if err := json.Unmarshal(out.Bytes(), &e); err != nil || e.Event != want {
				t.Fatalf("line is %s, want %s", out.Text(), want)
			}
		}
	}
	held := []step{event("armed"), event("holding")}
	eof := func(t *testing.T, in io.WriteCloser, _ *bufio.Scanner, _ *exec.Cmd) { in.Close() }
	signal := func(sig os.Signal) step {
		return func(t *testing.T, _ io.WriteCloser, _ *bufio.Scanner, cmd *exec.Cmd) { _ = cmd.Process.Signal(sig) }
	}
	for name, c := range map[string]struct {
		request func(path string) string
		steps   []step
		exit    int
		stderr  string
		state   fault.State
		cause   string
	}{
		"end of file":   {func(p string) string { return line(p, "") }, append(held, eof, event("ended")), 0, "", fault.Reverted, "end-of-file"},
		"terminated":    {func(p string) string { return line(p, "") }, append(held, signal(syscall.SIGTERM), event("ended")), 0, "", fault.Reverted, "signal"},
		"interrupted":   {func(p string) string { return line(p, "") }, append(held, signal(syscall.SIGINT), event("ended")), 0, "", fault.Reverted, "signal"},
		"hung up":       {func(p string) string { return line(p, "") }, append(held, signal(syscall.SIGHUP), event("ended")), 0, "", fault.Reverted, "signal"},
		"beats stop":    {func(p string) string { return line(p, `, "beat": "50ms"`) }, append(held, event("ended")), 0, "", fault.Reverted, "beat"},
		"ends at once":  {func(p string) string { return strings.TrimSuffix(line(p, ""), "\n") }, []step{eof}, 3, "refused: the input ends right after the request: keep it open for as long as the fault may live", "", ""},
		"no request":    {func(p string) string { return "" }, []step{eof}, 2, "read request: the input is empty", "", ""},
		"no limit":      {func(p string) string { return strings.Replace(line(p, ""), `"30s"`, `""`, 1) }, nil, 2, `read request: limit is missing: every fault needs one, for example "limit": "30s"`, "", ""},
		"no permit":     {func(p string) string { return strings.Replace(line(p, ""), "test", "", 1) }, nil, 3, `refused: no permit: let an exercise ask for one, or give "no_playbook": "reason" outside production`, "", ""},
		"production":    {func(p string) string { return line(p, `, "production": true`) }, nil, 3, "refused: a fault in production needs a permit", "", ""},
		"unknown field": {func(p string) string { return line(p, `, "netns": "x"`) }, nil, 2, `read request: fault file: unknown field "netns"`, "", ""},
		"unknown fault": {func(p string) string { return strings.Replace(line(p, ""), "file", "disk", 1) }, nil, 2, `read request: unknown fault "disk": this program knows clock, command, `, "", ""},
		"not there":     {func(p string) string { return line(p+"x", "") }, nil, 3, "refused: plan fault:", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path, dir := place(t), filepath.Join(t.TempDir(), "holds")
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), "BELAY_STATE_DIR="+dir)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			in, _ := cmd.StdinPipe()
			pipe, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			_, _ = io.WriteString(in, c.request(path))
			out := bufio.NewScanner(pipe)
			for _, s := range c.steps {
				s(t, in, out, cmd)
			}
			_, _ = io.Copy(io.Discard, pipe)
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.exit {
				t.Errorf("exit code %d, want %d", got, c.exit)
			}
			if got := strings.TrimPrefix(strings.TrimSpace(stderr.String()), "belay-hold: error: "); !strings.HasPrefix(got, c.stderr) || (c.stderr == "") != (got == "") {
				t.Errorf("it says %q, want %q", got, c.stderr)
			}
			if b, err := os.ReadFile(path); string(b) != "original" {
				t.Errorf("the file is %q, %v", b, err)
			}
			all, err := hold.List(dir)
			if err != nil {
				t.Fatal(err)
			}
			if c.state == "" && len(all) > 0 || c.state != "" && (len(all) != 1 || all[0].State != c.state || all[0].Cause != c.cause) {
				t.Errorf("list is %+v, want %s by %s", all, c.state, c.cause)
			}
		})
	}
}

// TestInputThatCannotEnd refuses inputs that do not tell when their writer is gone.
func TestInputThatCannotEnd(t *testing.T) {
	exe := binary(t)
	path := place(t)
	file := filepath.Join(t.TempDir(), "request")
	if err := os.WriteFile(file, []byte(line(path, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, os.DevNull} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe)
		cmd.Stdin = f
		out, err := cmd.CombinedOutput()
		f.Close()
		const want = "belay-hold: error: refused: standard input is a file or a device: keep a pipe open for as long as the fault may live\n"
		if cmd.ProcessState.ExitCode() != 3 || string(out) != want {
			t.Errorf("%s: %v %q, want %q", name, err, out, want)
		}
	}
}

// TestNobodyListens closes the reading end: the revert must not die of a broken pipe.
func TestNobodyListens(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	cmd := exec.Command(binary(t))
	cmd.Env = append(os.Environ(), "BELAY_STATE_DIR="+dir)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	_, _ = io.WriteString(in, line(path, ""))
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if all, _ := hold.List(dir); len(all) == 1 && all[0].State == fault.Held {
			break
		}
		if time.Now().After(end) {
			t.Fatal("never held")
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if all, _ := hold.List(dir); all[0].State != fault.Reverted || all[0].Cause != "end-of-file" {
		t.Errorf("status is %+v, want reverted by the holder itself", all[0])
	}
}

// TestUndoOnTheTarget refuses a fault that would take its own undo record away.
func TestUndoOnTheTarget(t *testing.T) {
	path := place(t)
	for _, dir := range []string{filepath.Join(filepath.Dir(path), "holds"), filepath.Join(filepath.Dir(path), "a", "holds")} {
		r := hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"file": map[string]any{"lost": filepath.Dir(path)}})}
		if _, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), r); !errors.Is(err, hold.ErrRefused) || !strings.Contains(err.Error(), "the undo records are in") {
			t.Errorf("%s: %v, want a refusal", dir, err)
		}
	}
}

// TestOpenUndoDirectory refuses a directory that others could write undo records to.
func TestOpenUndoDirectory(t *testing.T) {
	path, dir := place(t), t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	r := hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"file": map[string]any{"lost": path}})}
	if _, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), r); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("hold: %v, want a refusal with the remedy", err)
	}
	if _, err := hold.Sweep(t.Context(), targets.Host(), dir); err == nil {
		t.Error("a sweep carries out records that anybody may have written")
	}
}

// TestOtherFormat leaves a record of another version alone, and says so.
func TestOtherFormat(t *testing.T) {
	dir := t.TempDir()
	_ = os.Chmod(dir, 0o700)
	if err := os.WriteFile(filepath.Join(dir, "f9.json"), []byte(`{"format": 2, "writer": "/opt/belay-9", "phase": "held"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := hold.Sweep(t.Context(), targets.Host(), dir)
	const want = "it has format 2 and this belay knows only 1: use the belay that wrote it, /opt/belay-9"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("sweep: %v, want %q", err, want)
	}
}

// TestRevertFails is the one case that needs a person: it is said with its own error, kept, and tried again.
func TestRevertFails(t *testing.T) {
	top, dir := t.TempDir(), filepath.Join(t.TempDir(), "holds")
	mark, jam := filepath.Join(top, "mark"), filepath.Join(top, "jam")
	if err := os.WriteFile(jam, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := hold.Request{ID: "f1", NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"command": map[string]any{
		"inject": []string{"touch", mark}, "confirm": []string{"test", "-e", mark},
		"revert": []string{"sh", "-c", `test ! -e "$1" && rm -f "$2"`, "sh", jam, mark},
	}})}
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	st, err := h.Release(t.Context())
	if !errors.Is(err, fault.ErrNotReverted) || st.State != fault.Failed {
		t.Errorf("release: %+v, %v, want not reverted", st, err)
	}
	if _, err := hold.Halt(t.Context(), targets.Host(), dir); !errors.Is(err, fault.ErrNotReverted) {
		t.Errorf("halt: %v, want not reverted", err)
	}
	os.Remove(jam)
	all, err := hold.Sweep(t.Context(), targets.Host(), dir)
	if err != nil || len(all) != 1 || all[0].State != fault.Reverted || all[0].Error != "" {
		t.Errorf("sweep after the cause is gone: %+v, %v", all, err)
	}
}

// TestCancelledStart proves that an error of Hold means that nothing is held.
func TestCancelledStart(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	for n := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*3*time.Millisecond)
		r := hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"file": map[string]any{"lost": path}})}
		h, err := faulttest.Launcher(targets.Host(), dir).Hold(ctx, r)
		cancel()
		if err == nil {
			if _, err := h.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if b, _ := os.ReadFile(path); string(b) != "original" {
			t.Fatalf("cancelled after %d ms: %v, and the file is gone", n*3, err)
		}
	}
}

// smallParts are the modules that what is copied to other hosts may link: no SDK, no database, no playbook.
var smallParts = [...]string{
	"golang.org/x/sys", "golang.org/x/net", "golang.org/x/sync", "golang.org/x/tools", "github.com/vishvananda/netlink", "github.com/vishvananda/netns",
	"github.com/google/nftables", "github.com/mdlayher/netlink", "github.com/mdlayher/socket", "github.com/florianl/go-nfqueue/v2",
	"github.com/google/go-cmp", "github.com/miekg/dns", "github.com/hanwen/go-fuse/v2",
}

// TestHolderIsSmall keeps SDKs, databases and the playbook out of what is copied to other hosts.
func TestHolderIsSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/belay-dr/belay/cmd/belay-hold").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		if first, _, _ := strings.Cut(pkg, "/"); !strings.Contains(first, ".") {
			continue
		}
		ok := false
		for _, part := range smallParts {
			ok = ok || pkg == part || strings.HasPrefix(pkg, part+"/")
		}
		for _, ours := range []string{"cmd/belay-hold", "fault", "reach/local", "internal/clock"} {
			ours = "github.com/belay-dr/belay/" + ours
			ok = ok || pkg == ours || strings.HasPrefix(pkg, ours+"/")
		}
		if !ok {
			t.Errorf("belay-hold links %s", pkg)
		}
	}
}

// holderPID is the process that holds the fault.
func holderPID(t *testing.T, dir, id string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, id+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var rec struct {
		Holder struct {
			PID int `json:"pid"`
		} `json:"holder"`
	}
	if err := json.Unmarshal(b, &rec); err != nil || rec.Holder.PID < 2 {
		t.Fatalf("holder %d, %v", rec.Holder.PID, err)
	}
	return rec.Holder.PID
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
