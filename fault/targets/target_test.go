package targets_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/targets"
)

// inject makes a fault in this process and returns its target and undo.
func inject(t *testing.T, spec object) (fault.Target, json.RawMessage) {
	t.Helper()
	target, err := targets.Host().Decode(faulttest.Spec(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	if err := target.Inject(t.Context(), undo, func(u json.RawMessage) error { undo = u; return nil }); err != nil {
		t.Fatal(err)
	}
	return target, undo
}

func discard(json.RawMessage) error { return nil }

// TestSeedDecides shows that the seed, and nothing else, decides which bytes are flipped.
func TestSeedDecides(t *testing.T) {
	corrupted := func(seed int) string {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, strings.Repeat("belay", 1000))
		inject(t, object{"file": object{"corrupt": object{"path": path, "bytes": 20, "seed": seed}}})
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	once, again := corrupted(1), corrupted(1)
	if once != again {
		t.Error("the same seed gives two corruptions")
	}
	if corrupted(1) == corrupted(2) {
		t.Error("the seed does not matter")
	}
	differ := 0
	for i, b := range []byte(corrupted(3)) {
		if b != strings.Repeat("belay", 1000)[i] {
			differ++
		}
	}
	if differ != 20 {
		t.Errorf("%d bytes differ, want 20", differ)
	}
}

// TestRevertCutShort finishes a corruption's revert that died half way, and does not take it for somebody else's work.
func TestRevertCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	original := strings.Repeat("belay", 1000)
	write(t, path, original)
	target, undo := inject(t, object{"file": object{"corrupt": object{"path": path, "bytes": 100, "at": 50}}})
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(original[50:90]), 50)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := target.Revert(t.Context(), undo, discard)
	b, _ := os.ReadFile(path)
	if err != nil || len(out.Superseded) > 0 || string(b) != original {
		t.Errorf("revert: %+v, %v; the file is right: %v", out, err, string(b) == original)
	}
}

// TestOneByteElsewhere leaves a corrupted file alone as soon as somebody else wrote a single byte, and keeps the original.
func TestOneByteElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	original := strings.Repeat("belay", 1000)
	write(t, path, original)
	target, undo := inject(t, object{"file": object{"corrupt": object{"path": path, "bytes": 10, "at": 0}}})
	f, _ := os.OpenFile(path, os.O_WRONLY, 0)
	_, err := f.WriteAt([]byte{'!'}, 4000)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	out, err := target.Revert(t.Context(), undo, discard)
	after, _ := os.ReadFile(path)
	if err != nil || len(out.Superseded) != 1 || len(out.Kept) != 1 || string(before) != string(after) {
		t.Fatalf("revert: %+v, %v", out, err)
	}
	if kept, _ := os.ReadFile(out.Kept[0]); string(kept) != original {
		t.Error("what is kept is not the original")
	}
}

// TestReplacedBeforeInjection does not touch a file that was exchanged between the plan and the injection.
func TestReplacedBeforeInjection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "planned")
	for _, kind := range []string{"lost", "corrupt"} {
		spec := object{"file": object{kind: path}}
		if kind == "corrupt" {
			spec = object{"file": object{"corrupt": object{"path": path, "bytes": 1}}}
		}
		target, err := targets.Host().Decode(faulttest.Spec(t, spec))
		if err != nil {
			t.Fatal(err)
		}
		p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
		if err != nil {
			t.Fatal(err)
		}
		write(t, path+".new", "exchanged")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if err := target.Inject(t.Context(), p.Undo, discard); err == nil {
			t.Errorf("%s: it was injected into a file that nobody planned to touch", kind)
		}
		if out, err := target.Revert(t.Context(), p.Undo, discard); err != nil {
			t.Errorf("%s: revert: %+v, %v", kind, out, err)
		}
		if b, _ := os.ReadFile(path); string(b) != "exchanged" {
			t.Errorf("%s: the file is %q", kind, b)
		}
	}
}

// TestRecycledProcess never hits a process that has the ID of the planned one but another start or another boot.
func TestRecycledProcess(t *testing.T) {
	cmd := victim(t, filepath.Join(t.TempDir(), "app.pid"))
	target, err := targets.Host().Decode(faulttest.Spec(t, object{"process": object{"stop": object{"pid": cmd.Process.Pid}}}))
	if err != nil {
		t.Fatal(err)
	}
	now, err := proc.Look(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]proc.Process{
		"start": {PID: now.PID, Start: now.Start + "1", Boot: now.Boot},
		"boot":  {PID: now.PID, Start: now.Start, Boot: "another"},
	} {
		undo, _ := json.Marshal(map[string]any{"victims": []proc.Process{p}})
		if err := target.Inject(t.Context(), undo, discard); !errors.Is(err, proc.ErrGone) {
			t.Errorf("another %s: inject: %v, want that it is gone", name, err)
		}
		if s := state(cmd.Process.Pid); s == proc.Stopped {
			t.Errorf("another %s: the process was stopped", name)
		}
		if out, err := target.Revert(t.Context(), undo, discard); err != nil || len(out.Superseded) != 1 {
			t.Errorf("another %s: revert: %+v, %v, want superseded", name, out, err)
		}
	}
}

// TestInjectionOutlivesItsHolder ends a command that is still at work when its holder is dead: a revert before the end of
// the injection would revert nothing.
func TestInjectionOutlivesItsHolder(t *testing.T) {
	dir := t.TempDir()
	mark, begun := filepath.Join(dir, "mark"), filepath.Join(dir, "begun")
	target, err := targets.Host().Decode(faulttest.Spec(t, object{"command": object{
		"inject":  []string{"sh", "-c", `touch "$1"; sleep 0.4; touch "$2"`, "sh", begun, mark},
		"confirm": []string{"test", "-e", mark}, "revert": []string{"rm", "-f", mark},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan json.RawMessage, 4)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = target.Inject(context.Background(), p.Undo, func(u json.RawMessage) error { saved <- u; return nil })
	}()
	undo := <-saved
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(begun); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the injection never began")
		}
	}
	// From here on this test is the reaper: the undo is all that it knows.
	if _, err := target.Revert(t.Context(), undo, discard); err != nil {
		t.Fatal(err)
	}
	<-done
	time.Sleep(500 * time.Millisecond) // longer than what was left of the injection
	if _, err := os.Stat(mark); err == nil {
		t.Error("the injection went on after its revert")
	}
}

// TestStoppedByHand refuses a process that somebody else stopped: going on is not ours to decide.
func TestStoppedByHand(t *testing.T) {
	cmd := victim(t, filepath.Join(t.TempDir(), "app.pid"))
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for state(cmd.Process.Pid) != proc.Stopped {
	}
	target, err := targets.Host().Decode(faulttest.Spec(t, object{"process": object{"stop": object{"pid": cmd.Process.Pid}}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Plan(t.Context(), fault.Ask{ID: "f1"}); err == nil || !strings.Contains(err.Error(), "is stopped or traced already") {
		t.Errorf("plan: %v, want a refusal", err)
	}
}
