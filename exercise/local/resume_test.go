package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// sound fails unless the exercise is closed once, its chain verifies, and nothing was acted on before it was written down.
func sound(t *testing.T, opts local.Options, id string) {
	t.Helper()
	records, err := opts.Ledger.List(context.Background(), evidence.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := evidence.Verify(records); err != nil {
		t.Error(err)
	}
	closed := 0
	started := map[string]bool{}
	for _, r := range records {
		switch r.Kind {
		case evidence.KindExercise:
			closed++
		case evidence.KindEvent:
			var e exercise.Event
			if err := json.Unmarshal(r.Payload, &e); err != nil {
				t.Fatal(err)
			}
			switch e.Kind {
			case exercise.CommandStarted:
				if started[e.Command] {
					t.Errorf("%s was begun twice", e.Command)
				}
				started[e.Command] = true
			case exercise.CommandDone, exercise.CommandFailed:
				if name, _, _ := strings.Cut(e.Command, "#"); !started[e.Command] && name != "declare" && name != "time-box" && name != "grace" {
					t.Errorf("%s was answered and had not been begun", e.Command)
				}
			}
		}
	}
	if closed != 1 {
		t.Errorf("exercise %s has %d closing records, want 1", id, closed)
	}
}

// TestResumeAnywhere lets the process die after each record of an exercise, and of the resume too: in the end it is closed,
// once, with a verdict and a reason, and nothing is held.
func TestResumeAnywhere(t *testing.T) {
	for after := range 30 {
		agains := []int{-1, after % 5}
		if os.Getenv("BELAY_TORTURE") != "" {
			agains = []int{-1, 0, 1, 2, 3, 4, 6, 8}
		}
		for _, again := range agains {
			t.Run(fmt.Sprintf("%d records, then %d", after, again), func(t *testing.T) {
				t.Parallel()
				dieAndResume(t, after, again)
			})
		}
	}
}

func dieAndResume(t *testing.T, after, again int) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "/bin/sh", "-c", "sleep 0.05; touch up"))
	dead := opts
	dead.Ledger = &failing{Ledger: opts.Ledger, after: after}
	if _, err := local.Run(context.Background(), dead); err != nil && !errors.Is(err, errDisk) {
		t.Fatal(err)
	} else if err == nil {
		sound(t, opts, "E1")
		return // it was over before
	}
	if again >= 0 {
		dead.Ledger = &failing{Ledger: opts.Ledger, after: again}
		if _, err := local.Resume(context.Background(), dead, "E1"); err == nil {
			sound(t, opts, "E1")
			return
		}
	}
	r, err := local.Resume(context.Background(), opts, "E1")
	if after == 0 {
		if !errors.Is(err, local.ErrNotFound) {
			t.Errorf("nothing was begun, and resume says %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict == "" || r.Why == "" || s.holds.Load() > 0 {
		t.Errorf("verdict %q, why %q, held %d", r.Verdict, r.Why, s.holds.Load())
	}
	sound(t, opts, "E1")
}

// TestResumeWaitsForTheStep resumes while the program of the step that was cut short still runs: it is not run beside itself.
func TestResumeWaitsForTheStep(t *testing.T) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "/bin/sh", "-c", "test -e up && echo after >> log || echo beside >> log; touch up"))
	dead := opts
	begun := &untilBegun{Ledger: opts.Ledger, command: "fix#"}
	dead.Ledger = begun
	if _, err := local.Run(context.Background(), dead); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(s.dir, "up"))
	_ = os.Remove(filepath.Join(s.dir, "log"))
	cmd := exec.Command("/bin/sh", "-c", "sleep 0.7; touch up")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i, err := proc.Look(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	b, _ := json.Marshal(map[string]any{"command": begun.seen, "leader": i.Process})
	if err := os.WriteFile(filepath.Join(local.Folder(s.dir, "E1"), "step.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := local.Resume(context.Background(), opts, "E1")
	if err != nil || r.Verdict == "" {
		t.Fatalf("%s (%s), %v", r.Verdict, r.Why, err)
	}
	if b, err := os.ReadFile(filepath.Join(s.dir, "log")); string(b) != "after\n" {
		t.Errorf("the step ran %q, %v, want once, after the first program had ended", b, err)
	}
	sound(t, opts, "E1")
}

// untilBegun is a ledger that fails once a command is begun.
type untilBegun struct {
	evidence.Ledger
	command, seen string
}

func (u *untilBegun) Append(ctx context.Context, d evidence.Draft) (evidence.Record, error) {
	if u.seen != "" {
		return evidence.Record{}, errDisk
	}
	var e exercise.Event
	if err := json.Unmarshal(d.Payload, &e); err == nil && e.Kind == exercise.CommandStarted && strings.HasPrefix(e.Command, u.command) {
		u.seen = e.Command
	}
	return u.Ledger.Append(ctx, d)
}

// TestResumeReadsUnderTheLock closes the exercise between the first look and the lock: it must not be closed twice.
func TestResumeReadsUnderTheLock(t *testing.T) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "touch", "up"))
	dead := opts
	dead.Ledger = &failing{Ledger: opts.Ledger, after: 12}
	if _, err := local.Run(context.Background(), dead); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	late := opts
	late.Ledger = &overtaken{Ledger: opts.Ledger, do: func() {
		if _, err := local.Resume(context.Background(), opts, "E1"); err != nil {
			t.Error(err)
		}
	}}
	if _, err := local.Resume(context.Background(), late, "E1"); !errors.Is(err, local.ErrClosed) {
		t.Errorf("resume of what was closed meanwhile: %v", err)
	}
	sound(t, opts, "E1")
}

// overtaken is a ledger in which something happens right after it was first read.
type overtaken struct {
	evidence.Ledger
	do func()
}

func (o *overtaken) List(ctx context.Context, f evidence.Filter) ([]evidence.Record, error) {
	records, err := o.Ledger.List(ctx, f)
	if do := o.do; do != nil {
		o.do = nil
		do()
	}
	return records, err
}

// TestResumeSaysWhatIsHeld resumes while a fault that was never confirmed can not be taken back: that is an error.
func TestResumeSaysWhatIsHeld(t *testing.T) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "touch", "up"))
	dead := opts
	dead.Ledger = &untilBegun{Ledger: opts.Ledger, command: "inject#"}
	if _, err := local.Run(context.Background(), dead); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	opts.Faults = stuck{s}
	if r, err := local.Resume(context.Background(), opts, "E1"); !errors.Is(err, fault.ErrNotReverted) || r.Verdict != exercise.Invalid {
		t.Errorf("verdict %s (%s), %v, want a fault that is not reverted", r.Verdict, r.Why, err)
	}
	sound(t, opts, "E1")
}

// stuck finds a fault that can not be taken back.
type stuck struct{ *shop }

func (stuck) Find(context.Context, string) (fault.Status, bool, error) {
	return fault.Status{State: fault.Held}, true, fmt.Errorf("%w: the disk is read-only", fault.ErrNotReverted)
}

// TestNothingAfterClose leaves a closed exercise alone.
func TestNothingAfterClose(t *testing.T) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "touch", "up"))
	if _, err := local.Run(context.Background(), opts); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if _, err := local.Resume(context.Background(), opts, "E1"); !errors.Is(err, local.ErrClosed) || time.Since(before) > time.Second {
		t.Errorf("resume of a closed exercise: %v", err)
	}
	sound(t, opts, "E1")
}
