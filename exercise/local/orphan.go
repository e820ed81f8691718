package local

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault/proc"
	reach "github.com/belay-dr/belay/reach/local"
)

// stepFile names the program of the step that was begun last. A program outlives a runner that was killed: whoever resumes
// must neither run it a second time beside the first, nor call the step over while it is at work.
const stepFile = "step.json"

type begunStep struct {
	Command string       `json:"command"`
	Leader  proc.Process `json:"leader"`
}

// stepStarted writes down which program carries a command out, before its first instruction.
func (d *driver) stepStarted(command string, group int) error {
	i, err := proc.Look(group)
	if err != nil {
		return fmt.Errorf("note program of step: %w", err)
	}
	b, err := json.Marshal(begunStep{command, i.Process})
	if err != nil {
		return fmt.Errorf("note program of step: %w", err)
	}
	path := filepath.Join(d.folder, stepFile)
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return fmt.Errorf("note program of step: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("note program of step: %w", err)
	}
	return nil
}

// orphan is the program of a command that an earlier process began, if it still runs.
func (d *driver) orphan(command string) (proc.Process, bool) {
	b, err := os.ReadFile(filepath.Join(d.folder, stepFile))
	if err != nil {
		return proc.Process{}, false
	}
	var s begunStep
	if json.Unmarshal(b, &s) != nil || s.Command != command {
		return proc.Process{}, false
	}
	_, err = proc.Find(s.Leader)
	return s.Leader, err == nil
}

// outlive waits until the orphan has ended, and ends it when the step's time is over or the step is cancelled. Nobody can tell
// its exit code any more, so the step is unknown afterwards.
func (d *driver) outlive(c exercise.Command, p proc.Process, left time.Duration) {
	ctx, cancel := context.WithCancel(d.work)
	d.cancels[c.ID] = cancel
	d.workers.Go(func() {
		defer cancel()
		ctx, done := context.WithTimeout(ctx, max(0, left))
		defer done()
		if err := proc.WaitGone(ctx, p); err != nil {
			if _, err := proc.Find(p); err == nil {
				reach.EndGroup(p.PID)
			}
		}
		d.post(exercise.Event{Kind: exercise.CommandUnknown, Command: c.ID})
	})
}
