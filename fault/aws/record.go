package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/belay-dr/belay/fault"
)

// record changes one record set. Each change deletes exactly what is there and creates what shall be, in one batch: Route 53
// refuses it as a whole when somebody was faster.
type record struct {
	*site
	which *Record
}

type recordUndo struct {
	Mark string                  `json:"mark"`
	Old  types.ResourceRecordSet `json:"old"`
	New  types.ResourceRecordSet `json:"new"`
	// Change is the ID of the last change that we asked for.
	Change string `json:"change,omitempty"`
	// Done says that New was there, Back that we are about to put Old back, or have.
	Done bool `json:"done,omitempty"`
	Back bool `json:"back,omitempty"`
	// Public says that anybody may ask the zone's name servers.
	Public    bool   `json:"public,omitempty"`
	MarkValue string `json:"mark_value"`
}

func (f record) client(ctx context.Context) (*route53.Client, error) {
	cfg, err := f.reach(ctx)
	if err != nil {
		return nil, err
	}
	return route53.NewFromConfig(cfg), nil
}

// find returns the record set as it is now; nil when there is none.
func (f record) find(ctx context.Context, c *route53.Client) (*types.ResourceRecordSet, error) {
	w := f.which
	in := &route53.ListResourceRecordSetsInput{HostedZoneId: &w.Zone, StartRecordName: &w.Name, StartRecordType: types.RRType(w.Type), MaxItems: sdk.Int32(1)}
	if w.ID != "" {
		in.StartRecordIdentifier = &w.ID
	}
	got, err := c.ListResourceRecordSets(ctx, in)
	if err != nil {
		return nil, explain("look at zone "+w.Zone, err)
	}
	for _, r := range got.ResourceRecordSets {
		if dotted(unescape(sdk.ToString(r.Name))) == dotted(w.Name) && r.Type == types.RRType(w.Type) && sdk.ToString(r.SetIdentifier) == w.ID {
			return &r, nil
		}
	}
	return nil, nil
}

// unescape undoes the one escape of Route 53 that is usual in names.
func unescape(name string) string { return strings.ReplaceAll(name, `\052`, "*") }

func (f record) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := f.client(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	w := f.which
	zone, err := c.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: &w.Zone})
	if err != nil {
		return fault.Plan{}, explain("look at zone "+w.Zone, err)
	}
	old, err := f.find(ctx, c)
	switch {
	case err != nil:
		return fault.Plan{}, err
	case old == nil && w.ID == "":
		return fault.Plan{}, fmt.Errorf("zone %s has no single record %s %s: one of several has an id", w.Zone, w.Name, w.Type)
	case old == nil:
		return fault.Plan{}, fmt.Errorf("zone %s has no record %s %s with the id %s", w.Zone, w.Name, w.Type, w.ID)
	case w.Weight != nil && old.Weight == nil:
		return fault.Plan{}, fmt.Errorf("record %s %s has no weight", w.Name, w.Type)
	}
	u := recordUndo{Mark: markKey(ask.ID), Old: *old, New: w.changed(*old)}
	u.Public = zone.HostedZone != nil && (zone.HostedZone.Config == nil || !zone.HostedZone.Config.PrivateZone)
	if sameRecord(*old, u.New) {
		return fault.Plan{}, fmt.Errorf("record %s %s is %s already: that would have no effect", w.Name, w.Type, describeRecord(u.New))
	}
	about := plain("undo=" + dotted(w.Name) + "/" + w.Type + "/" + w.ID)
	production, err := zoneMarks(ctx, c, types.TagResourceTypeHostedzone, w.Zone, u.Mark, about)
	if err != nil {
		return fault.Plan{}, err
	}
	u.MarkValue = mark(ask, time.Now(), about, shortOrDigest(describeRecord(*old)))
	p := fault.Plan{
		Class: fault.Restore, Fidelity: fault.Network, Elsewhere: true, Mechanism: "Route 53 ChangeResourceRecordSets", Production: production,
		Target: fmt.Sprintf("Route 53 record %s %s in zone %s", w.Name, w.Type, w.Zone),
		Changes: []string{
			fmt.Sprintf("change record %s %s from %s to %s", w.Name, w.Type, describeRecord(*old), describeRecord(u.New)),
			"tag zone " + w.Zone + " " + u.Mark + " for as long",
		},
		Claims: []string{f.claim("record", strings.Join([]string{w.Zone, dotted(w.Name), w.Type, w.ID}, " "))},
		Needs:  []string{"route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets", "route53:GetChange", "route53:ListTagsForResource", "route53:ChangeTagsForResource"},
		Radius: []string{"everybody who resolves " + w.Name},
	}
	if old.TTL != nil {
		p.Radius = append(p.Radius, fmt.Sprintf("resolvers keep an answer for up to %d s, also after the end", *old.TTL))
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// changed is the record set with the playbook's values or weight.
func (r *Record) changed(old types.ResourceRecordSet) types.ResourceRecordSet {
	out := old
	if r.Weight != nil {
		out.Weight = r.Weight
		return out
	}
	out.ResourceRecords, out.AliasTarget = nil, nil
	for _, v := range r.Values {
		out.ResourceRecords = append(out.ResourceRecords, types.ResourceRecord{Value: sdk.String(v)})
	}
	if out.TTL == nil {
		out.TTL = sdk.Int64(60) // an alias has none
	}
	return out
}

// describeRecord is what a person wants to know of a record set.
func describeRecord(r types.ResourceRecordSet) string {
	var out []string
	if r.Weight != nil {
		out = append(out, fmt.Sprintf("weight=%d", *r.Weight))
	}
	if r.AliasTarget != nil {
		out = append(out, "alias="+sdk.ToString(r.AliasTarget.DNSName))
	}
	for _, v := range r.ResourceRecords {
		out = append(out, sdk.ToString(v.Value))
	}
	return strings.Join(out, " ")
}

// sameValue is a value in one way of writing: addresses and names have several, and Route 53 may answer in another one than
// it was told.
func sameValue(kind types.RRType, value string) string {
	switch kind {
	case types.RRTypeA, types.RRTypeAaaa:
		if a, err := netip.ParseAddr(value); err == nil {
			return a.String()
		}
	case types.RRTypeCname, types.RRTypePtr, types.RRTypeMx, types.RRTypeSrv:
		return dotted(value)
	}
	return value
}

// sameRecord compares all of two record sets, whatever the order of their values and the way they are written.
func sameRecord(a, b types.ResourceRecordSet) bool {
	text := func(r types.ResourceRecordSet) string {
		var values []types.ResourceRecord
		for _, v := range r.ResourceRecords {
			values = append(values, types.ResourceRecord{Value: sdk.String(sameValue(r.Type, sdk.ToString(v.Value)))})
		}
		r.ResourceRecords = slices.SortedFunc(slices.Values(values), func(x, y types.ResourceRecord) int {
			return strings.Compare(sdk.ToString(x.Value), sdk.ToString(y.Value))
		})
		b, _ := json.Marshal(r)
		return string(b)
	}
	return text(a) == text(b)
}

func readRecord(undo json.RawMessage) (u recordUndo, err error) {
	if err = json.Unmarshal(undo, &u); err == nil && (u.Old.Name == nil || u.New.Name == nil) {
		err = errors.New("it names no record")
	}
	if err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// swap replaces one record set by another in one batch.
func (f record) swap(ctx context.Context, c *route53.Client, from, to types.ResourceRecordSet) (string, error) {
	got, err := c.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &f.which.Zone,
		ChangeBatch: &types.ChangeBatch{Changes: []types.Change{
			{Action: types.ChangeActionDelete, ResourceRecordSet: &from}, {Action: types.ChangeActionCreate, ResourceRecordSet: &to},
		}},
	})
	if err != nil {
		return "", explain("change record "+f.which.Name, err)
	}
	return sdk.ToString(got.ChangeInfo.Id), nil
}

// inSync waits until all name servers of Route 53 have a change.
func inSync(ctx context.Context, c *route53.Client, change string) error {
	err := until(ctx, func() (bool, error) {
		got, err := c.GetChange(ctx, &route53.GetChangeInput{Id: &change})
		if err != nil {
			return false, explain("look at change "+change, err)
		}
		return got.ChangeInfo.Status == types.ChangeStatusInsync, nil
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("change %s is still on its way to the name servers: %w", change, err)
	}
	return err
}

func saveJSON(save fault.Save, undo any) error {
	b, err := json.Marshal(undo)
	if err != nil {
		return err
	}
	return save(b)
}

func (f record) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readRecord(undo)
	if err != nil {
		return err
	}
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	if err := markZone(ctx, c, types.TagResourceTypeHostedzone, f.which.Zone, u.Mark, u.MarkValue); err != nil {
		return err
	}
	if u.Change, err = f.swap(ctx, c, u.Old, u.New); err != nil {
		return err
	}
	now, err := f.find(ctx, c)
	if err != nil || now == nil {
		return errors.Join(err, fmt.Errorf("record %s is not there after the change", f.which.Name))
	}
	// What is read back is the fingerprint: Route 53 may write a value in its own way.
	u.New, u.Done = *now, true
	if err := saveJSON(save, u); err != nil {
		return err
	}
	return inSync(ctx, c, u.Change)
}

// Confirm asks Route 53 what its name servers answer where it can be asked: in public zones, for records that are not one
// among several.
func (f record) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readRecord(undo)
	if err != nil {
		return "", err
	}
	c, err := f.client(ctx)
	if err != nil {
		return "", err
	}
	now, err := f.find(ctx, c)
	if err != nil || now == nil || !sameRecord(*now, u.New) {
		return "", errors.Join(err, fmt.Errorf("record %s is not as it was changed", f.which.Name))
	}
	seen := fmt.Sprintf("record %s %s is %s, in sync on all name servers of Route 53", f.which.Name, f.which.Type, describeRecord(*now))
	if !u.Public || f.which.ID != "" || f.which.Weight != nil {
		return seen, nil
	}
	answer, err := c.TestDNSAnswer(ctx, &route53.TestDNSAnswerInput{HostedZoneId: &f.which.Zone, RecordName: now.Name, RecordType: now.Type})
	if err != nil {
		return "", explain("ask Route 53 for an answer", err)
	}
	for _, r := range now.ResourceRecords {
		if !slices.ContainsFunc(answer.RecordData, func(v string) bool {
			return sameValue(now.Type, v) == sameValue(now.Type, sdk.ToString(r.Value))
		}) {
			return "", fmt.Errorf("the name servers answer %v", answer.RecordData)
		}
	}
	return fmt.Sprintf("name server %s answers %s to %s %s", sdk.ToString(answer.Nameserver), strings.Join(answer.RecordData, " "), f.which.Name, f.which.Type), nil
}

// Revert puts the old record set back if the one that is there is ours.
func (f record) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readRecord(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return fault.Outcome{}, err
	}
	now, err := f.find(ctx, c)
	if is(err, "NoSuchHostedZone") {
		return fault.Outcome{Superseded: []string{"zone " + f.which.Zone + " was deleted by somebody else since"}}, nil
	}
	if err != nil {
		return fault.Outcome{}, err
	}
	var out fault.Outcome
	switch name := "record " + f.which.Name + " " + f.which.Type; {
	case now != nil && sameRecord(*now, u.New):
		u.Back = true
		if err := saveJSON(save, u); err != nil {
			return out, err
		}
		if u.Change, err = f.swap(ctx, c, *now, u.Old); err != nil {
			return out, err // somebody was faster: the next attempt looks again
		}
		if err := saveJSON(save, u); err != nil {
			return out, err
		}
	case u.Back && now != nil && sameRecord(*now, u.Old), !u.Done && now != nil && sameRecord(*now, u.Old):
	case now == nil:
		out.Superseded = append(out.Superseded, name+" was deleted by somebody else since")
	default:
		out.Superseded = append(out.Superseded, fmt.Sprintf("%s was changed to %s by somebody else since", name, describeRecord(*now)))
	}
	if u.Back && u.Change != "" && len(out.Superseded) == 0 {
		if err := inSync(ctx, c, u.Change); err != nil {
			return out, err
		}
	}
	return out, unmarkZone(ctx, c, types.TagResourceTypeHostedzone, f.which.Zone, u.Mark)
}

func (f record) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readRecord(undo)
	if err != nil {
		return nil, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return nil, err
	}
	now, err := f.find(ctx, c)
	if is(err, "NoSuchHostedZone") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var left []string
	if now != nil && sameRecord(*now, u.New) {
		left = append(left, fmt.Sprintf("record %s %s is %s", f.which.Name, f.which.Type, describeRecord(*now)))
	}
	there, err := marked(ctx, c, types.TagResourceTypeHostedzone, f.which.Zone, u.Mark)
	if there {
		left = append(left, "zone "+f.which.Zone+" has the tag "+u.Mark)
	}
	return left, err
}
