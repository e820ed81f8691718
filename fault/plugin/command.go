package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/reach/local"
)

// Command is the config of a fault that commands of the user's own make: lists of arguments, never a shell line.
type Command struct {
	// Inject makes the fault. It must return once the fault is made.
	Inject []string `yaml:"inject" json:"inject"`
	// Revert takes the fault back, also a half-made one. It must do no harm when it is run again.
	Revert []string `yaml:"revert" json:"revert"`
	// Confirm exits with 0 while the fault is there, and with anything else when it is not.
	Confirm []string `yaml:"confirm" json:"confirm"`
	// Fidelity is how near the fault is to the real thing; empty means process.
	Fidelity string `yaml:"fidelity,omitempty" json:"fidelity,omitempty"`
	// Dir is where the commands run; empty means where the holder was started.
	Dir string `yaml:"dir,omitempty" json:"dir,omitempty"`
}

// confirmBound is how long one look may take.
const confirmBound = 5 * time.Second

// revertBound is how long taking back may take in one attempt.
const revertBound = 15 * time.Second

// CheckConfig says what is wrong.
func (c *Command) CheckConfig() map[string]string {
	wrong := map[string]string{}
	for key, argv := range map[string][]string{"inject": c.Inject, "revert": c.Revert, "confirm": c.Confirm} {
		if len(argv) == 0 || argv[0] == "" {
			wrong[key] = "give a command as a list of arguments"
		}
	}
	known := []fault.Fidelity{"", fault.Signal, fault.Network, fault.Process, fault.Host, fault.Zone, fault.Region, fault.Data}
	if !slices.Contains(known, fault.Fidelity(c.Fidelity)) {
		wrong["fidelity"] = "must be signal, network, process, host, zone, region or data"
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

func (c *Command) Target() fault.Target { return command{cfg: *c} }

// command is the target.
type command struct{ cfg Command }

// commandUndo is how far the commands came.
type commandUndo struct {
	// Dir is where they run, also when a stranger takes the fault back.
	Dir string `json:"dir"`
	// Group leads the process group of the injection. It is saved before the command's first instruction.
	Group *proc.Process `json:"group,omitempty"`
	// Injected says that the injection ended well, Reverting that taking it back has begun.
	Injected  bool `json:"injected,omitempty"`
	Reverting bool `json:"reverting,omitempty"`
	// Undoing leads the process group of the revert. It may still be at work when its holder is killed.
	Undoing *proc.Process `json:"undoing,omitempty"`
}

func (c command) Plan(ctx context.Context, _ fault.Ask) (fault.Plan, error) {
	u := commandUndo{Dir: c.cfg.Dir}
	var err error
	if u.Dir == "" {
		u.Dir, err = os.Getwd()
	} else {
		u.Dir, err = filepath.Abs(c.cfg.Dir)
	}
	if err != nil {
		return fault.Plan{}, err
	}
	for _, argv := range [][]string{c.cfg.Inject, c.cfg.Revert, c.cfg.Confirm} {
		if err := findProgram(argv[0], u.Dir); err != nil {
			return fault.Plan{}, err
		}
	}
	if there, err := c.look(ctx, u); err != nil {
		return fault.Plan{}, fmt.Errorf("look before the fault: %w", err)
	} else if there {
		return fault.Plan{}, fmt.Errorf("%q sees the fault already", quote(c.cfg.Confirm))
	}
	p := fault.Plan{
		Target: quote(c.cfg.Inject), Class: fault.Restore, Fidelity: fault.Fidelity(c.cfg.Fidelity),
		Claims:  []string{"command " + quote(c.cfg.Inject) + " in " + u.Dir},
		Changes: []string{"run " + quote(c.cfg.Inject) + " in " + u.Dir, "take it back with " + quote(c.cfg.Revert)},
	}
	if p.Fidelity == "" {
		p.Fidelity = fault.Process
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// findProgram refuses a command whose program is not there: to learn that only when taking back would be too late.
func findProgram(name, dir string) error {
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("find command: %w", err)
	}
	return nil
}

func quote(argv []string) string { return strings.Join(argv, " ") }

func readCommand(undo json.RawMessage) (commandUndo, error) {
	var u commandUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (u commandUndo) save(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

// look runs the confirm command. An error means that it could not tell.
func (c command) look(ctx context.Context, u commandUndo) (there bool, err error) {
	res, err := local.Run(ctx, local.Command{Argv: c.cfg.Confirm, Dir: u.Dir, Timeout: confirmBound})
	if err != nil {
		return false, err
	}
	if res.Exit == 126 || res.Exit == 127 {
		return false, fmt.Errorf("%s: exit %d%s", quote(c.cfg.Confirm), res.Exit, said(res.Output))
	}
	return res.Exit == 0, nil
}

func (c command) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readCommand(undo)
	if err != nil {
		return err
	}
	res, err := local.Run(ctx, local.Command{Argv: c.cfg.Inject, Dir: u.Dir, Started: func(group int) error {
		i, err := proc.Look(group)
		if err != nil {
			return err
		}
		u.Group = &i.Process
		return u.save(save)
	}})
	if err != nil {
		return err
	}
	if res.Exit != 0 {
		return fmt.Errorf("%s: exit %d%s", quote(c.cfg.Inject), res.Exit, said(res.Output))
	}
	u.Injected = true
	return u.save(save)
}

// last is the end of a command's output, in one line.
// said is the end of what a command wrote, behind a colon; nothing when it wrote nothing.
func said(output string) string {
	if text := last(output); text != "" {
		return ": " + text
	}
	return ""
}

func last(output string) string {
	output = strings.Join(strings.Fields(output), " ")
	return output[max(0, len(output)-200):]
}

func (c command) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readCommand(undo)
	if err != nil {
		return "", err
	}
	there, err := c.look(ctx, u)
	if err != nil {
		return "", err
	}
	if !there {
		return "", fmt.Errorf("%q does not see the fault", quote(c.cfg.Confirm))
	}
	return quote(c.cfg.Confirm) + " exits with 0", nil
}

// Revert runs the revert command, unless the confirm command says that somebody else has taken the fault back. When it
// cannot tell, the command is run: a fault must not outlive its holder.
func (c command) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readCommand(undo)
	if err != nil || u.Group == nil {
		return fault.Outcome{}, err // the command never began
	}
	if !u.Injected {
		if err := endInjection(*u.Group); err != nil {
			return fault.Outcome{}, err
		}
	}
	if u.Undoing != nil {
		if _, err := proc.Find(*u.Undoing); err == nil { // two reverts at once were never promised to do no harm
			if err := endInjection(*u.Undoing); err != nil {
				return fault.Outcome{}, err
			}
		}
	}
	there, err := c.look(ctx, u)
	if err == nil && !there {
		if u.Reverting {
			return fault.Outcome{}, nil
		}
		if u.Injected {
			return fault.Outcome{Superseded: []string{fmt.Sprintf("%q does not see the fault any more: somebody else took it back", quote(c.cfg.Confirm))}}, nil
		}
	}
	u.Reverting = true
	// A mark that cannot be saved must not keep the fault alive.
	_ = u.save(save)
	res, err := local.Run(ctx, local.Command{Argv: c.cfg.Revert, Dir: u.Dir, Timeout: revertBound, Started: func(group int) error {
		if i, err := proc.Look(group); err == nil {
			u.Undoing = &i.Process
			_ = u.save(save)
		}
		return nil
	}})
	if err != nil {
		return fault.Outcome{}, err
	}
	if res.Exit != 0 {
		return fault.Outcome{}, fmt.Errorf("%s: exit %d%s", quote(c.cfg.Revert), res.Exit, said(res.Output))
	}
	return fault.Outcome{}, nil
}

// endInjection ends an injection that may still be at work because its holder was killed: first the making, then the unmaking.
func endInjection(leader proc.Process) error {
	if leader.Boot != proc.BootID() {
		return nil
	}
	i, err := proc.Look(leader.PID)
	if err == nil && i.Start != leader.Start {
		return nil // the ID is another's, so the group has long ended
	}
	if err != nil && !errors.Is(err, proc.ErrGone) {
		return err
	}
	if err := syscall.Kill(-leader.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the injection: %w", err)
	}
	for range 200 {
		if errors.Is(syscall.Kill(-leader.PID, 0), syscall.ESRCH) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil // only zombies are left, or the kernel is still at it
}

// Residue is the fault itself, if it can still be seen.
func (c command) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readCommand(undo)
	if err != nil || u.Group == nil {
		return nil, err
	}
	there, err := c.look(ctx, u)
	if err != nil {
		return nil, err
	}
	if there {
		return []string{fmt.Sprintf("%q still sees the fault", quote(c.cfg.Confirm))}, nil
	}
	return nil, nil
}
