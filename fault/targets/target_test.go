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

func discard(json.RawMessage) error { return nil }

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
