package hold

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/belay-dr/belay/fault"
)

// answers says that these arguments ask for one answer, and not for a fault to be held.
func answers(args []string) bool {
	switch len(args) {
	case 1:
		return slices.Contains([]string{"plan", "list", "sweep", "halt"}, args[0])
	case 2:
		return args[0] == "status" || args[0] == "revert"
	}
	return false
}

// Answer is what a holder program writes when it was asked for something else than holding a fault.
type Answer struct {
	Plan   *fault.Plan    `json:"plan,omitempty"`
	Faults []fault.Status `json:"faults,omitempty"`
	// Unknown says that there is no record of the fault that was asked for.
	Unknown bool   `json:"unknown,omitempty"`
	Error   string `json:"error,omitempty"`
}

// answer does what was asked and writes one line. The exit code is that of a holder.
func (p Process) answer(args []string) int {
	var a Answer
	err := p.ask(args, &a)
	if err != nil {
		a.Error = err.Error()
	}
	if b, jerr := json.Marshal(a); jerr == nil {
		fmt.Fprintf(p.Stdout, "%s\n", b)
	}
	return codeOf(err)
}

func (p Process) ask(args []string, a *Answer) error {
	ctx := context.Background()
	if args[0] == "plan" {
		plan, err := p.plan(ctx)
		a.Plan = plan
		return err
	}
	dir, err := DefaultDir()
	if err != nil {
		return err
	}
	switch args[0] {
	case "list":
		a.Faults, err = List(dir)
	case "sweep":
		a.Faults, err = Sweep(ctx, p.Kinds, dir)
	case "halt":
		a.Faults, err = Halt(ctx, p.Kinds, dir)
	case "status":
		st, found, ferr := Find(dir, args[1])
		if err = ferr; err == nil && !found {
			a.Unknown, err = true, fmt.Errorf("no fault %q here", args[1])
		}
		a.Faults = []fault.Status{st}
	case "revert":
		var st fault.Status
		st, err = Revert(ctx, p.Kinds, dir, args[1])
		a.Unknown = errors.Is(err, fs.ErrNotExist)
		a.Faults = []fault.Status{st}
	}
	return err
}

// plan is what the request on standard input would change.
func (p Process) plan(ctx context.Context) (*fault.Plan, error) {
	line, err := bufio.NewReader(io.LimitReader(p.Stdin, maxLine)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read request: %w", err)
	}
	r, err := ParseRequest(line)
	if err != nil {
		return nil, err
	}
	spec, err := r.Spec()
	if err != nil {
		return nil, err
	}
	target, err := p.Kinds.Decode(spec)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, planBound)
	defer cancel()
	plan, err := target.Plan(ctx, fault.Ask{ID: r.ID, Limit: r.Limit, Exercise: r.Exercise})
	if err != nil {
		return nil, fmt.Errorf("%w: plan fault: %w", ErrRefused, err)
	}
	return &plan, nil
}
