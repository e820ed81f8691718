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

// FIS is an experiment of the AWS Fault Injection Service.
type FIS struct {
	// Start is the ID of the template that is started.
	Start string `yaml:"start" json:"start"`
}

const templateID pattern = `^EXT[0-9A-Za-z]{1,60}$`

func (f *FIS) check() map[string]string {
	if !templateID.matches(f.Start) {
		return map[string]string{"fis.start": "must be the ID of an experiment template, such as EXT0123456789"}
	}
	return nil
}

func (f *FIS) target(s *site) fault.Target { return experiment{s, f.Start} }

// experiment runs one experiment of a template, and stops it with the fault. FIS takes back what its actions can take back,
// also when nobody stops it: each action has its own duration there.
type experiment struct {
	*site
	template string
}

type experimentUndo struct {
	Mark      string `json:"mark"`
	MarkValue string `json:"mark_value"`
	// Asked says that we are about to start it, or have. ID is the experiment's, once it is known.
	Asked bool   `json:"asked,omitempty"`
	ID    string `json:"id,omitempty"`
}

func (f experiment) client(ctx context.Context) (*fis.Client, error) {
	cfg, err := f.reach(ctx)
	if err != nil {
		return nil, err
	}
	return fis.NewFromConfig(cfg), nil
}

func (f experiment) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := f.client(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	got, err := c.GetExperimentTemplate(ctx, &fis.GetExperimentTemplateInput{Id: &f.template})
	if err != nil {
		return fault.Plan{}, explain("look at template "+f.template, err)
	}
	t := got.ExperimentTemplate
	if t == nil || len(t.Actions) == 0 {
		return fault.Plan{}, fmt.Errorf("template %s has no actions", f.template)
	}
	lasts, err := longest(t.Actions)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("template %s: %w", f.template, err)
	}
	p := fault.Plan{
		Class: fault.SelfEnding, Fidelity: fault.Host, Elsewhere: true, Mechanism: "FIS experiment",
		// FIS ends it by itself. That is an end of ours only if it comes before the limit.
		EndsThere: ask.Limit == 0 || lasts <= ask.Limit,
		Target:    fmt.Sprintf("FIS experiment from template %s in %s %s", f.template, f.Account, f.Region),
		Changes:   changes(t),
		Claims:    []string{f.claim("template", f.template)},
		Needs:     []string{"fis:GetExperimentTemplate", "fis:StartExperiment", "fis:GetExperiment", "fis:ListExperiments", "fis:StopExperiment", "fis:TagResource"},
		Radius:    radius(t),
	}
	if err := f.alone(ctx, c, markKey(ask.ID)); err != nil {
		return fault.Plan{}, err
	}
	p.Production = productionOf(f.template, t)
	if !p.EndsThere {
		p.Changes = append(p.Changes, fmt.Sprintf("stop it after %s: by itself it would last %s", ask.Limit, lasts))
	}
	p.Undo, err = json.Marshal(experimentUndo{Mark: markKey(ask.ID), MarkValue: mark(ask, time.Now(), "undo=stop-experiment")})
	return p, err
}

// alone refuses a template of which another fault runs an experiment, also one of another host.
func (f experiment) alone(ctx context.Context, c *fis.Client, ours string) error {
	return f.each(ctx, c, func(e types.ExperimentSummary) error {
		if sdk.ToString(e.ExperimentTemplateId) != f.template || e.State == nil || over(e.State.Status) {
			return nil
		}
		return free("template "+f.template+" (experiment "+sdk.ToString(e.Id)+")", ours, e.Tags)
	})
}

// productionOf says by what a template is known to be production's, or to aim at it.
func productionOf(id string, t *types.ExperimentTemplate) string {
	if mark := fault.ProductionMark(t.Tags); mark != "" {
		return "template " + id + " has the tag " + mark
	}
	for _, name := range slices.Sorted(maps.Keys(t.Targets)) {
		if mark := fault.ProductionMark(t.Targets[name].ResourceTags); mark != "" {
			return "template " + id + " aims at what has the tag " + mark
		}
	}
	return ""
}

// changes are the actions of a template, as sentences.
func changes(t *types.ExperimentTemplate) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(t.Actions)) {
		a := t.Actions[name]
		text := "run action " + name + ": " + sdk.ToString(a.ActionId)
		if len(a.Targets) > 0 {
			text += " on " + strings.Join(slices.Sorted(maps.Values(a.Targets)), ", ")
		}
		if d := a.Parameters["duration"]; d != "" {
			text += " for " + d
		}
		if len(a.StartAfter) > 0 {
			text += " after " + strings.Join(a.StartAfter, ", ")
		}
		out = append(out, text)
	}
	return out
}

// radius is what a template aims at, and what would stop it.
func radius(t *types.ExperimentTemplate) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(t.Targets)) {
		g := t.Targets[name]
		text := fmt.Sprintf("target %s: %s of", name, sdk.ToString(g.SelectionMode))
		switch {
		case len(g.ResourceArns) > 0:
			text += fmt.Sprintf(" %d %s: %s", len(g.ResourceArns), sdk.ToString(g.ResourceType), strings.Join(g.ResourceArns, ", "))
		default:
			text += " all " + sdk.ToString(g.ResourceType) + " with " + words(g.ResourceTags)
		}
		for _, f := range g.Filters {
			text += fmt.Sprintf(", where %s is %s", sdk.ToString(f.Path), strings.Join(f.Values, " or "))
		}
		out = append(out, text)
	}
	alarms := 0
	for _, s := range t.StopConditions {
		if sdk.ToString(s.Source) != "none" {
			alarms++
		}
	}
	return append(out, fmt.Sprintf("%d alarms stop it", alarms))
}

const isoDuration pattern = `^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`

func parseISO(text string) (time.Duration, error) {
	part := isoDuration.find(text)
	if part == nil {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	var d time.Duration
	for n, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		var v int64
		if part[n+1] != "" {
			if _, err := fmt.Sscan(part[n+1], &v); err != nil || v > 1e6 {
				return 0, fmt.Errorf("%q is no duration", text)
			}
		}
		d += time.Duration(v) * unit
	}
	return d, nil
}

// longest is how long the actions take at most, one after the other as they are chained. Those without a duration are over
// at once.
func longest(actions map[string]types.ExperimentTemplateAction) (time.Duration, error) {
	ends := map[string]time.Duration{}
	var end func(name string, depth int) (time.Duration, error)
	end = func(name string, depth int) (time.Duration, error) {
		if d, known := ends[name]; known {
			return d, nil
		}
		if depth > len(actions) {
			return 0, errors.New("its actions wait for each other")
		}
		a := actions[name]
		var d, after time.Duration
		var err error
		if text := a.Parameters["duration"]; text != "" {
			if d, err = parseISO(text); err != nil {
				return 0, fmt.Errorf("action %s: %w", name, err)
			}
		}
		for _, before := range a.StartAfter {
			b, err := end(before, depth+1)
			if err != nil {
				return 0, err
			}
			after = max(after, b)
		}
		ends[name] = after + d
		return after + d, nil
	}
	var out time.Duration
	for name := range actions {
		d, err := end(name, 0)
		if err != nil {
			return 0, err
		}
		out = max(out, d)
	}
	return out, nil
}
