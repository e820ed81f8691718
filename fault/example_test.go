package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/belay-dr/belay/fault"
)

// readOnly takes the right to write a file away: the smallest target that restores something.
type readOnly struct{ path string }

// readOnlyUndo is all that a stranger needs to take the fault back.
type readOnlyUndo struct {
	Path string      `json:"path"`
	Mode os.FileMode `json:"mode"`
}

func (r readOnly) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	st, err := os.Stat(r.path)
	if err != nil {
		return fault.Plan{}, err
	}
	undo, err := json.Marshal(readOnlyUndo{r.path, st.Mode().Perm()})
	return fault.Plan{
		Target: "make " + r.path + " read-only", Class: fault.Restore, Fidelity: fault.Host,
		Changes: []string{"take the right to write " + r.path + " away"}, Touches: []string{r.path}, Undo: undo,
	}, err
}

func (r readOnly) Inject(_ context.Context, _ json.RawMessage, _ fault.Save) error {
	return os.Chmod(r.path, 0o400)
}

func (r readOnly) Confirm(context.Context, json.RawMessage) (string, error) {
	st, err := os.Stat(r.path)
	if err != nil || st.Mode().Perm() != 0o400 {
		return "", errors.Join(err, errors.New("it can still be written"))
	}
	return "the mode is 0400", nil
}

// Revert compares first. A mode that is not the one we set is somebody else's.
func (r readOnly) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	var u readOnlyUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return fault.Outcome{}, err
	}
	st, err := os.Stat(u.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fault.Outcome{Superseded: []string{"somebody removed it"}}, nil
	case err != nil || st.Mode().Perm() == u.Mode:
		return fault.Outcome{}, err
	case st.Mode().Perm() != 0o400:
		return fault.Outcome{Superseded: []string{"somebody changed its mode"}}, nil
	}
	return fault.Outcome{}, os.Chmod(u.Path, u.Mode)
}

func (r readOnly) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }

func ExampleTarget() {
	dir, _ := os.MkdirTemp("", "belay")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "data")
	_ = os.WriteFile(path, nil, 0o600)

	ctx := context.Background()
	var target fault.Target = readOnly{path}
	plan, _ := target.Plan(ctx, fault.Ask{ID: "f-1"})
	_ = target.Inject(ctx, plan.Undo, nil)
	fmt.Println(target.Confirm(ctx, plan.Undo))

	_ = os.Chmod(path, 0o640) // the recovery was faster
	out, err := target.Revert(ctx, plan.Undo, nil)
	fmt.Println(out.Superseded, err)
	// Output:
	// the mode is 0400 <nil>
	// [somebody changed its mode] <nil>
}
