package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/belay-dr/belay/fault"
)

// deny adds one statement to the policy of a bucket, and takes it out again. It never denies anything to whoever makes it,
// and never anything that has to do with policies or tags to anybody.
type deny struct {
	*site
	which *Deny
}

type denyUndo struct {
	Mark      string `json:"mark"`
	MarkValue string `json:"mark_value"`
	Sid       string `json:"sid"`
	// Old is the policy before; empty when there was none. New is the one that was read back after the change.
	Old string `json:"old"`
	New string `json:"new"`
	// Done says that New was there, Back that we are about to put Old back, or have.
	Done bool `json:"done,omitempty"`
	Back bool `json:"back,omitempty"`
}

func (f deny) open(ctx context.Context) (bucket, error) {
	cfg, err := f.reach(ctx)
	if err != nil {
		return bucket{}, err
	}
	return openBucket(cfg, f.which.Bucket, f.Account), nil
}

// other is the bucket as one of those who are denied sees it.
func (f deny) other(ctx context.Context) (bucket, error) {
	s := site{Account: f.Account, Region: f.Region, Profile: f.which.AsProfile, Endpoint: f.Endpoint}
	cfg, err := s.credentials(ctx)
	if err != nil {
		return bucket{}, fmt.Errorf("as_profile: %w", err)
	}
	return openBucket(cfg, f.which.Bucket, f.Account), nil
}

func (f deny) key() string {
	if f.which.Key != "" {
		return f.which.Key
	}
	return f.which.Prefix + "belay-looks-whether-this-is-denied"
}

func (f deny) what() string {
	if f.which.Prefix == "" {
		return "bucket " + f.which.Bucket
	}
	return "bucket " + f.which.Bucket + " below " + f.which.Prefix
}

func (f deny) access() string {
	if f.which.Access == "" || f.which.Access == "all" {
		return "read and write"
	}
	return f.which.Access
}

func (f deny) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	b, err := f.open(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	spare, err := spared(f.caller)
	if err != nil {
		return fault.Plan{}, err
	}
	if slices.Contains(f.which.Principals, f.caller) || slices.Contains(f.which.Principals, spare[0]) {
		return fault.Plan{}, fmt.Errorf("%s is who makes the fault, and must be able to take it back", f.caller)
	}
	u := denyUndo{Mark: markKey(ask.ID), Sid: sid(ask.ID)}
	if u.Old, err = b.policy(ctx); err != nil {
		return fault.Plan{}, err
	}
	tags, err := b.tags(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := free("bucket "+f.which.Bucket, u.Mark, bucketTags(tags)); err != nil {
		return fault.Plan{}, err
	}
	if other := othersStatement(u.Old, u.Sid); other != "" {
		return fault.Plan{}, fmt.Errorf("the policy of bucket %s has the statement %s of another fault: end that one first; if it is over, take the statement out", f.which.Bucket, other)
	}
	partition := strings.Split(f.caller, ":")[1]
	if u.New, err = with(u.Old, f.which.statement(ask.ID, partition, spare)); err != nil {
		return fault.Plan{}, fmt.Errorf("bucket %s: %w", f.which.Bucket, err)
	}
	if f.which.AsProfile != "" {
		o, err := f.other(ctx)
		if err != nil {
			return fault.Plan{}, err
		}
		if already, err := o.denied(ctx, f.key()); err != nil || already {
			return fault.Plan{}, errors.Join(err, fmt.Errorf("%s is denied to profile %s already, or it may not list the bucket: no effect could be seen", f.key(), f.which.AsProfile))
		}
	}
	u.MarkValue = mark(ask, time.Now(), "undo=remove-statement", u.Sid)
	p := fault.Plan{
		Class: fault.Restore, Fidelity: fault.Data, Elsewhere: true, Mechanism: "S3 bucket policy",
		Target:  fmt.Sprintf("S3 %s: no %s", f.what(), f.access()),
		Changes: []string{fmt.Sprintf("add statement %s to the policy of bucket %s: it denies to %s %s", u.Sid, f.which.Bucket, f.access(), f.what()), "tag the bucket " + u.Mark + " for as long"},
		Claims:  []string{f.claim("bucket policy", f.which.Bucket)},
		Needs:   []string{"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:GetBucketTagging", "s3:PutBucketTagging"},
		Radius:  []string{"everybody but " + strings.Join(spare, " and ")},
	}
	if mark := fault.ProductionMark(bucketTags(tags)); mark != "" {
		p.Production = "bucket " + f.which.Bucket + " has the tag " + mark
	}
	if len(f.which.Principals) > 0 {
		p.Radius = []string{strings.Join(f.which.Principals, ", ")}
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func readDeny(undo json.RawMessage) (u denyUndo, err error) {
	if err = json.Unmarshal(undo, &u); err == nil && u.Sid == "" {
		err = errors.New("it names no statement")
	}
	if err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (f deny) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readDeny(undo)
	if err != nil {
		return err
	}
	b, err := f.open(ctx)
	if err != nil {
		return err
	}
	now, err := b.policy(ctx)
	if err != nil {
		return err
	}
	if !samePolicy(now, u.Old) {
		return fmt.Errorf("the policy of bucket %s was changed since it was planned", f.which.Bucket)
	}
	if err := b.mark(ctx, u.Mark, u.MarkValue); err != nil {
		return err
	}
	if err := b.setPolicy(ctx, u.New); err != nil {
		return err
	}
	// What is read back is the fingerprint: S3 may write a policy in its own way.
	err = until(ctx, func() (bool, error) {
		now, err = b.policy(ctx)
		_, ours, _ := without(now, u.Sid)
		return ours != nil, err
	})
	if err != nil {
		return err
	}
	u.New, u.Done = now, true
	return saveJSON(save, u)
}

func (f deny) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readDeny(undo)
	if err != nil {
		return "", err
	}
	if f.which.AsProfile != "" {
		o, err := f.other(ctx)
		if err != nil {
			return "", err
		}
		if denied, err := o.denied(ctx, f.key()); err != nil || !denied {
			return "", errors.Join(err, fmt.Errorf("%s is not denied to profile %s", f.key(), f.which.AsProfile))
		}
		return fmt.Sprintf("%s is denied to profile %s", f.key(), f.which.AsProfile), nil
	}
	b, err := f.open(ctx)
	if err != nil {
		return "", err
	}
	now, err := b.policy(ctx)
	if err != nil || !samePolicy(now, u.New) {
		return "", errors.Join(err, fmt.Errorf("the policy of bucket %s is not the one that was written", f.which.Bucket))
	}
	return fmt.Sprintf("the policy of bucket %s has statement %s; no request was tried, because there is no as_profile", f.which.Bucket, u.Sid), nil
}

// Revert puts the old policy back if the one that is there is ours. A policy that somebody changed while it had our statement
// loses that alone, so that nobody stays locked out.
func (f deny) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	var out fault.Outcome
	u, err := readDeny(undo)
	if err != nil {
		return out, err
	}
	b, err := f.open(ctx)
	if err != nil {
		return out, err
	}
	now, err := b.policy(ctx)
	if is(err, "NoSuchBucket") {
		return fault.Outcome{Superseded: []string{"bucket " + f.which.Bucket + " was deleted by somebody else since"}}, nil
	}
	if err != nil {
		return out, err
	}
	rest, ours, err := without(now, u.Sid)
	if err != nil {
		return out, err
	}
	switch policy := "the policy of bucket " + f.which.Bucket; {
	case ours != nil && samePolicy(now, u.New):
		u.Back = true
		if err := saveJSON(save, u); err != nil {
			return out, err
		}
		if err := b.setPolicy(ctx, u.Old); err != nil {
			return out, err
		}
	case ours != nil:
		if err := b.setPolicy(ctx, rest); err != nil {
			return out, err
		}
		out.Superseded = append(out.Superseded, policy+" was changed by somebody else since: only our statement was taken out")
	case u.Done && !u.Back:
		out.Superseded = append(out.Superseded, policy+" was replaced by somebody else since")
	}
	// The end of a policy takes its time to be seen everywhere; the API itself must know it.
	err = until(ctx, func() (bool, error) {
		now, err := b.policy(ctx)
		_, ours, _ := without(now, u.Sid)
		return ours == nil, err
	})
	if err != nil {
		return out, err
	}
	return out, b.unmark(ctx, u.Mark)
}

func (f deny) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readDeny(undo)
	if err != nil {
		return nil, err
	}
	b, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	now, err := b.policy(ctx)
	if is(err, "NoSuchBucket") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var left []string
	if _, ours, err := without(now, u.Sid); err != nil || ours != nil {
		left = append(left, "the policy of bucket "+f.which.Bucket+" has statement "+u.Sid)
	}
	tags, err := b.tags(ctx)
	if slices.ContainsFunc(tags, func(t types.Tag) bool { return sdk.ToString(t.Key) == u.Mark }) {
		left = append(left, "bucket "+f.which.Bucket+" has the tag "+u.Mark)
	}
	return left, err
}
