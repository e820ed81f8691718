package temporal_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/exercisetest"
	"github.com/belay-dr/belay/exercise/temporal"
)

// TestScripts runs the machine's own scripts inside a workflow: the same events must give the same commands and the same
// last state.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(files) < 12 {
		t.Fatalf("found %d scripts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := exercisetest.Split(string(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range parts {
				want, err := exercisetest.Run(part)
				if err != nil {
					t.Fatal(err)
				}
				got, commands := inWorkflow(t, want.Plan, want.Events)
				if diff := cmp.Diff(asJSON(t, want.State), asJSON(t, got)); diff != "" {
					t.Errorf("the workflow ends in another state (-direct +workflow):\n%s", diff)
				}
				if diff := cmp.Diff(ids(want.Commands), commands); diff != "" {
					t.Errorf("the workflow gives other commands (-direct +workflow):\n%s", diff)
				}
			}
		})
	}
}

// inWorkflow sends the events as signals and returns the last state and the commands that were carried out, sorted.
func inWorkflow(t *testing.T, plan exercise.Plan, events []exercise.Event) (exercise.State, []string) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	var mu sync.Mutex
	var commands []string
	env.RegisterActivityWithOptions(func(_ context.Context, c exercise.Command) (*exercise.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		commands = append(commands, c.ID)
		return nil, nil
	}, activity.RegisterOptions{Name: temporal.CarryOut})
	for i, e := range events {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(temporal.EventSignal, e) }, time.Duration(i+1)*time.Millisecond)
	}
	// A script that does not close its exercise is cut off here.
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Duration(len(events)+100)*time.Millisecond)
	env.ExecuteWorkflow(temporal.Workflow, plan)
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	var state exercise.State
	if err := env.GetWorkflowResult(&state); err != nil {
		t.Fatal(err)
	}
	slices.Sort(commands)
	return state, commands
}

func ids(commands []exercise.Command) []string {
	var out []string
	for _, c := range commands {
		out = append(out, c.ID)
	}
	slices.Sort(out)
	return out
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
