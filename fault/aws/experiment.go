package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"github.com/belay-dr/belay/fault"
)

func readExperiment(undo json.RawMessage) (u experimentUndo, err error) {
	if err = json.Unmarshal(undo, &u); err == nil && u.Mark == "" {
		err = errors.New("it names no mark")
	}
	if err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// over says that an experiment does nothing any more.
func over(s types.ExperimentStatus) bool {
	switch s {
	case types.ExperimentStatusPending, types.ExperimentStatusInitiating, types.ExperimentStatusRunning, types.ExperimentStatusStopping:
		return false
	}
	return true
}

func (f experiment) get(ctx context.Context, c *fis.Client, id string) (*types.Experiment, error) {
	got, err := c.GetExperiment(ctx, &fis.GetExperimentInput{Id: &id})
	if err != nil {
		return nil, explain("look at experiment "+id, err)
	}
	if got.Experiment == nil || got.Experiment.State == nil {
		return nil, errors.New("look at experiment " + id + ": AWS answered with nothing")
	}
	return got.Experiment, nil
}

func (f experiment) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readExperiment(undo)
	if err != nil {
		return err
	}
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	u.Asked = true
	if err := saveJSON(save, u); err != nil {
		return err
	}
	got, err := c.StartExperiment(ctx, &fis.StartExperimentInput{
		ClientToken: &u.Mark, ExperimentTemplateId: &f.template, Tags: map[string]string{u.Mark: u.MarkValue},
	})
	if err != nil {
		return explain("start experiment", err)
	}
	u.ID = sdk.ToString(got.Experiment.Id)
	if err := saveJSON(save, u); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) {
		e, err := f.get(ctx, c, u.ID)
		if err != nil {
			return false, err
		}
		return e.State.Status == types.ExperimentStatusRunning || over(e.State.Status), nil
	})
}

// Confirm looks at what the experiment and its actions do. One that failed or was stopped has no effect.
func (f experiment) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readExperiment(undo)
	if err != nil {
		return "", err
	}
	c, err := f.client(ctx)
	if err != nil {
		return "", err
	}
	e, err := f.get(ctx, c, u.ID)
	if err != nil {
		return "", err
	}
	if s := e.State.Status; s != types.ExperimentStatusRunning && s != types.ExperimentStatusCompleted {
		return "", fmt.Errorf("experiment %s is %s: %s", u.ID, s, sdk.ToString(e.State.Reason))
	}
	count := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(e.Actions)) {
		if s := e.Actions[name].State; s != nil {
			count[string(s.Status)]++
		}
	}
	if count["running"]+count["completed"] == 0 {
		return "", fmt.Errorf("no action of experiment %s is running yet", u.ID)
	}
	var actions []string
	for _, s := range slices.Sorted(maps.Keys(count)) {
		actions = append(actions, fmt.Sprintf("%d %s", count[s], s))
	}
	return fmt.Sprintf("experiment %s is %s, actions: %s", u.ID, e.State.Status, strings.Join(actions, ", ")), nil
}

// find returns the IDs of the experiments that have our tag and are not over.
func (f experiment) find(ctx context.Context, c *fis.Client, u experimentUndo) ([]string, error) {
	if u.ID != "" {
		e, err := f.get(ctx, c, u.ID)
		if is(err, "ResourceNotFoundException") {
			return nil, nil // FIS forgets them after some months
		}
		if err != nil || over(e.State.Status) {
			return nil, err
		}
		return []string{u.ID}, nil
	}
	if !u.Asked {
		return nil, nil
	}
	var out []string
	err := f.each(ctx, c, func(e types.ExperimentSummary) error {
		if _, ours := e.Tags[u.Mark]; ours && e.State != nil && !over(e.State.Status) {
			out = append(out, sdk.ToString(e.Id))
		}
		return nil
	})
	return out, err
}

// each looks at all experiments of the account that FIS remembers, page by page.
func (f experiment) each(ctx context.Context, c *fis.Client, look func(types.ExperimentSummary) error) error {
	in := &fis.ListExperimentsInput{}
	for {
		page, err := c.ListExperiments(ctx, in)
		if err != nil {
			return explain("look for experiments", err)
		}
		for _, e := range page.Experiments {
			if err := look(e); err != nil {
				return err
			}
		}
		if sdk.ToString(page.NextToken) == "" {
			return nil
		}
		in.NextToken = page.NextToken
	}
}

// Revert stops the experiment, and returns when FIS says that it is over.
func (f experiment) Revert(ctx context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readExperiment(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return fault.Outcome{}, err
	}
	asked, began := map[string]bool{}, time.Now()
	err = until(ctx, func() (bool, error) {
		left, err := f.find(ctx, c, u)
		if err != nil {
			return false, err
		}
		for _, id := range left {
			if asked[id] {
				continue
			}
			if _, err := c.StopExperiment(ctx, &fis.StopExperimentInput{Id: &id}); err != nil && !is(err, "ValidationException") {
				return false, explain("stop experiment "+id, err)
			}
			asked[id] = true
		}
		// An injection that was cut short may have asked for a start that does not show yet.
		return len(left) == 0 && (u.ID != "" || !u.Asked || len(asked) > 0 || time.Since(began) > settle), nil
	})
	return fault.Outcome{}, err
}

func (f experiment) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readExperiment(undo)
	if err != nil {
		return nil, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return nil, err
	}
	left, err := f.find(ctx, c, u)
	for n, id := range left {
		left[n] = "experiment " + id + " is not over"
	}
	return left, err
}
