package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// Process is the config of a fault in processes: exactly one of kill and stop.
type Process struct {
	// Kill ends the process at once, as a crash would.
	Kill *Victim `yaml:"kill,omitempty" json:"kill,omitempty"`
	// Stop freezes the process; it goes on when the fault ends.
	Stop *Victim `yaml:"stop,omitempty" json:"stop,omitempty"`
}

// Victim says which process: one of pid_file and pid.
type Victim struct {
	// PIDFile holds process IDs, one a line.
	PIDFile string `yaml:"pid_file,omitempty" json:"pid_file,omitempty"`
	PID     int    `yaml:"pid,omitempty" json:"pid,omitempty"`
	// Max is how many processes may be hit; 0 means 1. More in the file is a refusal, not a choice.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// AnyUser lets root hit processes of other users.
	AnyUser bool `yaml:"any_user,omitempty" json:"any_user,omitempty"`
}

// Short accepts {kill: /run/app.pid} for {kill: {pid_file: /run/app.pid}}.
func (v *Victim) Short(values []string, list bool) error {
	if list || len(values) != 1 {
		return errors.New("give one pid file, or {pid_file: ...}")
	}
	v.PIDFile = values[0]
	return nil
}

// UnmarshalJSON accepts the same short form.
func (v *Victim) UnmarshalJSON(b []byte) error {
	type plain Victim
	return fault.ShortJSON(b, v.Short, (*plain)(v))
}

// CheckConfig says what is wrong.
func (p *Process) CheckConfig() map[string]string {
	switch {
	case (p.Kill == nil) == (p.Stop == nil):
		return map[string]string{"": "give exactly one of kill and stop"}
	case p.Kill != nil:
		return p.Kill.check("kill")
	}
	return p.Stop.check("stop")
}

func (v *Victim) check(key string) map[string]string {
	switch {
	case (v.PIDFile == "") == (v.PID == 0):
		return map[string]string{key: "give exactly one of pid_file and pid"}
	case v.PID < 0 || v.PID == 1:
		return map[string]string{key + ".pid": "must be above 1"}
	case v.Max < 0:
		return map[string]string{key + ".max": "must not be negative"}
	}
	return nil
}

func (p *Process) Target() fault.Target {
	if p.Kill != nil {
		return kill{victims{*p.Kill}}
	}
	return stop{victims{*p.Stop}}
}

// victims finds the processes of a config.
type victims struct{ Victim }

// processUndo is the undo of both faults.
type processUndo struct {
	Victims []proc.Process `json:"victims"`
}

// find returns the processes and refuses those that must not be hit.
func (v victims) find() ([]proc.Info, error) {
	pids := []int{v.PID}
	if v.PIDFile != "" {
		var err error
		if pids, err = readPIDFile(v.PIDFile); err != nil {
			return nil, err
		}
	}
	if limit := max(1, v.Max); len(pids) > limit {
		return nil, fmt.Errorf("%s names %d processes and max is %d", v.PIDFile, len(pids), limit)
	}
	own, err := proc.Ancestors(os.Getpid())
	if err != nil {
		return nil, err
	}
	var out []proc.Info
	for _, pid := range pids {
		i, err := v.look(pid, own)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// look refuses one process that must not be hit.
func (v victims) look(pid int, own []int) (proc.Info, error) {
	if pid <= 1 {
		return proc.Info{}, fmt.Errorf("process %d is never hit", pid)
	}
	i, err := proc.Look(pid)
	switch {
	case errors.Is(err, proc.ErrGone) || err == nil && i.Over():
		return i, fmt.Errorf("process %d does not run", pid)
	case err != nil:
		return i, err
	case slices.Contains(own, pid):
		return i, fmt.Errorf("%s is this fault's own holder or one of those that started it", i)
	case i.UID != os.Geteuid() && os.Geteuid() != 0:
		return i, fmt.Errorf("%s belongs to user %d, not to us (%d)", i, i.UID, os.Geteuid())
	case i.UID != os.Geteuid() && !v.AnyUser:
		return i, fmt.Errorf("%s belongs to user %d: say any_user: true if root may hit it", i, i.UID)
	}
	return i, nil
}

// maxPIDFile is larger than any pid file.
const maxPIDFile = 64 << 10

func readPIDFile(path string) ([]int, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxPIDFile {
		return nil, fmt.Errorf("read pid file: %s is not a small file", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	var out []int
	for _, word := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("read pid file: %s: %q is not a process ID", path, word)
		}
		if !slices.Contains(out, pid) {
			out = append(out, pid)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read pid file: %s is empty", path)
	}
	return out, nil
}

// plan is the plan of a fault that does the same to each process.
func (v victims) plan(class fault.Class, fidelity fault.Fidelity, verb string) (fault.Plan, error) {
	found, err := v.find()
	if err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{Class: class, Fidelity: fidelity}
	var undo processUndo
	var names []string
	for _, i := range found {
		if i.State == proc.Stopped || i.State == proc.Traced {
			return fault.Plan{}, fmt.Errorf("%s is stopped or traced already", i)
		}
		undo.Victims = append(undo.Victims, i.Process)
		names = append(names, i.String())
		p.Changes = append(p.Changes, verb+" "+i.String())
		p.Claims = append(p.Claims, fmt.Sprintf("process %d", i.PID))
	}
	p.Target = strings.Join(names, ", ")
	if v.PIDFile != "" {
		p.Target += " of " + filepath.Base(v.PIDFile)
	}
	p.Undo, err = json.Marshal(undo)
	return p, err
}

// kill is the fault that ends processes. It is one-shot.
type kill struct{ victims }

func (k kill) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	return k.plan(fault.OneShot, fault.Process, "kill")
}

func (k kill) Inject(_ context.Context, undo json.RawMessage, _ fault.Save) error {
	return signalAll(undo, unix.SIGKILL)
}

func (k kill) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	return seen(undo, "gone", func(_ proc.Info, err error) bool { return errors.Is(err, proc.ErrGone) })
}

func (k kill) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

func (k kill) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }

// stop is the fault that freezes processes.
type stop struct{ victims }

func (s stop) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	return s.plan(fault.Restore, fault.Process, "stop")
}

func (s stop) Inject(_ context.Context, undo json.RawMessage, _ fault.Save) error {
	return signalAll(undo, unix.SIGSTOP)
}

func (s stop) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	return seen(undo, "stopped", func(i proc.Info, err error) bool { return err == nil && i.State == proc.Stopped })
}

// Revert lets each process go on that is the one that was stopped. One that ended meanwhile, or whose ID is another's
// now, was dealt with by somebody else.
func (s stop) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	var u processUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return fault.Outcome{}, fmt.Errorf("read undo: %w", err)
	}
	var out fault.Outcome
	var errs []error
	for _, p := range u.Victims {
		err := proc.Signal(p, unix.SIGCONT)
		if errors.Is(err, proc.ErrGone) {
			out.Superseded = append(out.Superseded, fmt.Sprintf("process %d has ended or was replaced since it was stopped", p.PID))
			continue
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// Residue waits a moment, because a process goes on a little after its signal.
func (s stop) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	var u processUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return nil, fmt.Errorf("read undo: %w", err)
	}
	var left []string
	for _, p := range u.Victims {
		if !goesOn(ctx, p) {
			left = append(left, fmt.Sprintf("process %d is still stopped", p.PID))
		}
	}
	return left, nil
}

func signalAll(undo json.RawMessage, sig unix.Signal) error {
	var u processUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return fmt.Errorf("read undo: %w", err)
	}
	for _, p := range u.Victims {
		if err := proc.Signal(p, sig); err != nil {
			return fmt.Errorf("process %d: %w", p.PID, err)
		}
	}
	return nil
}

// seen looks at each process and says what it saw, or what it still waits for.
func seen(undo json.RawMessage, what string, is func(proc.Info, error) bool) (string, error) {
	var u processUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return "", fmt.Errorf("read undo: %w", err)
	}
	var out []string
	for _, p := range u.Victims {
		i, err := proc.Find(p)
		if err != nil && !errors.Is(err, proc.ErrGone) {
			return "", err
		}
		if !is(i, err) {
			return "", fmt.Errorf("process %d is not %s", p.PID, what)
		}
		out = append(out, fmt.Sprintf("process %d is %s", p.PID, what))
	}
	return strings.Join(out, ", "), nil
}
