package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/belay-dr/belay/fault"
)

// healthCheck disables or inverts a health check. Each change names the version that it changes: Route 53 refuses it when
// somebody was faster.
type healthCheck struct {
	*site
	which *HealthCheck
}

type healthUndo struct {
	Mark      string `json:"mark"`
	MarkValue string `json:"mark_value"`
	// Done says that it was changed, Back that we are about to put it back, or have.
	Done bool `json:"done,omitempty"`
	Back bool `json:"back,omitempty"`
}

func (f healthCheck) id() string { return f.which.Disable + f.which.Invert }

func (f healthCheck) word() string {
	if f.which.Disable != "" {
		return "disabled"
	}
	return "inverted"
}

func (f healthCheck) client(ctx context.Context) (*route53.Client, error) {
	cfg, err := f.reach(ctx)
	if err != nil {
		return nil, err
	}
	return route53.NewFromConfig(cfg), nil
}

// look says whether it is as the fault wants it, and its version. There is false when AWS has forgotten it.
func (f healthCheck) look(ctx context.Context, c *route53.Client) (so bool, version *int64, there bool, err error) {
	id := f.id()
	got, err := c.GetHealthCheck(ctx, &route53.GetHealthCheckInput{HealthCheckId: &id})
	if is(err, "NoSuchHealthCheck") {
		return false, nil, false, nil
	}
	if err != nil {
		return false, nil, false, explain("look at health check "+id, err)
	}
	h := got.HealthCheck
	if h == nil || h.HealthCheckConfig == nil {
		return false, nil, false, errors.New("look at health check " + id + ": AWS answered with nothing")
	}
	if f.which.Disable != "" {
		return sdk.ToBool(h.HealthCheckConfig.Disabled), h.HealthCheckVersion, true, nil
	}
	return sdk.ToBool(h.HealthCheckConfig.Inverted), h.HealthCheckVersion, true, nil
}

// set makes it so, or takes it back, if it still has this version.
func (f healthCheck) set(ctx context.Context, c *route53.Client, version *int64, to bool) error {
	id := f.id()
	in := &route53.UpdateHealthCheckInput{HealthCheckId: &id, HealthCheckVersion: version}
	if f.which.Disable != "" {
		in.Disabled = &to
	} else {
		in.Inverted = &to
	}
	if _, err := c.UpdateHealthCheck(ctx, in); err != nil {
		return explain("change health check "+id, err)
	}
	return nil
}

func (f healthCheck) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := f.client(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	already, _, there, err := f.look(ctx, c)
	switch {
	case err != nil:
		return fault.Plan{}, err
	case !there:
		return fault.Plan{}, fmt.Errorf("there is no health check %s", f.id())
	case already:
		return fault.Plan{}, fmt.Errorf("health check %s is %s already: that would have no effect", f.id(), f.word())
	}
	u := healthUndo{Mark: markKey(ask.ID), MarkValue: mark(ask, time.Now(), "undo=not-"+f.word())}
	production, err := zoneMarks(ctx, c, types.TagResourceTypeHealthcheck, f.id(), u.Mark, "")
	if err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Class: fault.Restore, Fidelity: fault.Network, Elsewhere: true, Mechanism: "Route 53 UpdateHealthCheck", Production: production,
		Target:  fmt.Sprintf("Route 53 health check %s %s", f.id(), f.word()),
		Changes: []string{fmt.Sprintf("let health check %s be %s", f.id(), f.word()), "tag it " + u.Mark + " for as long"},
		Claims:  []string{f.claim("health check", f.id())},
		Needs:   []string{"route53:GetHealthCheck", "route53:UpdateHealthCheck", "route53:ListTagsForResource", "route53:ChangeTagsForResource"},
		Radius:  []string{"every record and every health check that goes by this one"},
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func readHealth(undo json.RawMessage) (u healthUndo, err error) {
	if err = json.Unmarshal(undo, &u); err == nil && u.Mark == "" {
		err = errors.New("it names no mark")
	}
	if err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (f healthCheck) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readHealth(undo)
	if err != nil {
		return err
	}
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	already, version, there, err := f.look(ctx, c)
	if err != nil || already || !there {
		return errors.Join(err, fmt.Errorf("health check %s was changed since it was planned", f.id()))
	}
	if err := markZone(ctx, c, types.TagResourceTypeHealthcheck, f.id(), u.Mark, u.MarkValue); err != nil {
		return err
	}
	if err := f.set(ctx, c, version, true); err != nil {
		return err
	}
	u.Done = true
	return saveJSON(save, u)
}

func (f healthCheck) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	if _, err := readHealth(undo); err != nil {
		return "", err
	}
	c, err := f.client(ctx)
	if err != nil {
		return "", err
	}
	so, version, _, err := f.look(ctx, c)
	if err != nil || !so {
		return "", errors.Join(err, fmt.Errorf("health check %s is not %s", f.id(), f.word()))
	}
	return fmt.Sprintf("health check %s is %s since its version %d", f.id(), f.word(), sdk.ToInt64(version)), nil
}

// Revert takes back our word alone: what else was changed in the health check stays.
func (f healthCheck) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	var out fault.Outcome
	u, err := readHealth(undo)
	if err != nil {
		return out, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return out, err
	}
	so, version, there, err := f.look(ctx, c)
	if err != nil {
		return out, err
	}
	ours, err := marked(ctx, c, types.TagResourceTypeHealthcheck, f.id(), u.Mark)
	if err != nil {
		return out, err
	}
	switch {
	case !there:
		out.Superseded = append(out.Superseded, "health check "+f.id()+" was deleted by somebody else since")
	case so && (u.Done && !u.Back || ours):
		u.Back = true
		if err := saveJSON(save, u); err != nil {
			return out, err
		}
		if err := f.set(ctx, c, version, false); err != nil {
			return out, err // somebody was faster: the next attempt looks again
		}
	case so:
		out.Superseded = append(out.Superseded, fmt.Sprintf("health check %s was %s by somebody else", f.id(), f.word()))
	case u.Done && !u.Back:
		out.Superseded = append(out.Superseded, fmt.Sprintf("health check %s was put back by somebody else since", f.id()))
	}
	return out, unmarkZone(ctx, c, types.TagResourceTypeHealthcheck, f.id(), u.Mark)
}

func (f healthCheck) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readHealth(undo)
	if err != nil {
		return nil, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return nil, err
	}
	there, err := marked(ctx, c, types.TagResourceTypeHealthcheck, f.id(), u.Mark)
	if err != nil || !there {
		return nil, err
	}
	left := []string{"health check " + f.id() + " has the tag " + u.Mark}
	so, _, _, err := f.look(ctx, c)
	if so {
		left = append(left, "health check "+f.id()+" is "+f.word())
	}
	return left, err
}
