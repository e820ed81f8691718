package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/belay-dr/belay/fault"
)

// S3 is a fault in a bucket.
type S3 struct {
	// Deny denies a bucket, or what is below a prefix, by a statement in its policy.
	Deny *Deny `yaml:"deny,omitempty" json:"deny,omitempty"`
}

// Deny says what is denied to whom.
type Deny struct {
	Bucket string `yaml:"bucket" json:"bucket"`
	// Prefix is the beginning of the keys that are denied; empty means the whole bucket, and listing it.
	Prefix string `yaml:"prefix,omitempty" json:"prefix,omitempty"`
	// Principals are ARNs of users and roles; empty means everybody but the one who makes the fault.
	Principals []string `yaml:"principals,omitempty" json:"principals,omitempty"`
	// Access is read, write or all, which is the default. Policy and tags of the bucket are never denied to anybody.
	Access string `yaml:"access,omitempty" json:"access,omitempty"`
	// AsProfile is a profile of the shared AWS config that belongs to one of those who are denied. With it the fault is confirmed
	// by a request that is denied; without, by the policy alone.
	AsProfile string `yaml:"as_profile,omitempty" json:"as_profile,omitempty"`
	// Key is the object that is asked for in that request. It need not exist.
	Key string `yaml:"key,omitempty" json:"key,omitempty"`
}

const (
	bucketName pattern = `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`
	principal  pattern = `^arn:aws[a-z-]*:(iam|sts)::\d{12}:(user|role|assumed-role|federated-user)/[\w+=,.@/-]+$`
)

func (s *S3) check() map[string]string {
	if s.Deny == nil {
		return map[string]string{"s3": "give deny"}
	}
	return below("s3.deny", s.Deny.check())
}

func (d *Deny) check() map[string]string {
	switch {
	case !bucketName.matches(d.Bucket):
		return map[string]string{"bucket": "must be the name of a bucket"}
	case strings.ContainsAny(d.Prefix, "*?${}"):
		return map[string]string{"prefix": "must not contain * ? $ { or }: they mean something in a policy"}
	case !slices.Contains([]string{"", "read", "write", "all"}, d.Access):
		return map[string]string{"access": "must be read, write or all"}
	case d.AsProfile != "" && d.Access == "write":
		return map[string]string{"as_profile": "shows that reading is denied, and access is write"}
	case d.Key != "" && d.AsProfile == "":
		return map[string]string{"key": "goes with as_profile"}
	case d.Key != "" && !strings.HasPrefix(d.Key, d.Prefix):
		return map[string]string{"key": "must begin with prefix"}
	}
	for _, p := range d.Principals {
		if !principal.matches(p) {
			return map[string]string{"principals": fmt.Sprintf("%q is no ARN of a user or role", p)}
		}
	}
	return nil
}

func (s *S3) target(at *site) fault.Target { return deny{at, s.Deny} }

// bucket is a client for one bucket. The account that must own it goes with each request, because a bucket of another
// account may be open to us.
type bucket struct {
	*s3.Client
	name  string
	owner *string
}

func openBucket(cfg sdk.Config, name, owner string) bucket {
	b := bucket{name: name, owner: &owner}
	b.Client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if o.BaseEndpoint != nil {
			// A server under an address of its own has no names of buckets below it, and owners who are no accounts.
			o.UsePathStyle, b.owner = true, nil
		}
	})
	return b
}

// policy returns the policy; empty when there is none.
func (b bucket) policy(ctx context.Context) (string, error) {
	got, err := b.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.name, ExpectedBucketOwner: b.owner})
	if is(err, "NoSuchBucketPolicy") {
		return "", nil
	}
	if err != nil {
		return "", explain("read the policy of bucket "+b.name, err)
	}
	return sdk.ToString(got.Policy), nil
}

// setPolicy writes the policy, or takes it away when it is empty.
func (b bucket) setPolicy(ctx context.Context, text string) error {
	var err error
	if text == "" {
		_, err = b.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &b.name, ExpectedBucketOwner: b.owner})
	} else {
		_, err = b.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &b.name, ExpectedBucketOwner: b.owner, Policy: &text})
	}
	if err != nil {
		return explain("write the policy of bucket "+b.name, err)
	}
	return nil
}

func (b bucket) tags(ctx context.Context) ([]types.Tag, error) {
	got, err := b.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &b.name, ExpectedBucketOwner: b.owner})
	if is(err, "NoSuchTagSet", "NoSuchTagSetError") {
		return nil, nil
	}
	if err != nil {
		return nil, explain("read the tags of bucket "+b.name, err)
	}
	return got.TagSet, nil
}

// setTags writes all tags of the bucket: S3 cannot change one alone.
func (b bucket) setTags(ctx context.Context, tags []types.Tag) error {
	var err error
	if len(tags) == 0 {
		_, err = b.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: &b.name, ExpectedBucketOwner: b.owner})
	} else {
		_, err = b.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &b.name, ExpectedBucketOwner: b.owner, Tagging: &types.Tagging{TagSet: tags}})
	}
	if err != nil {
		return explain("write the tags of bucket "+b.name, err)
	}
	return nil
}

func bucketTags(list []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range list {
		out[sdk.ToString(t.Key)] = sdk.ToString(t.Value)
	}
	return out
}

// mark tags the bucket, unless AWS itself has tags there: nobody else may write those, and all are written together. The
// statement in the policy names the fault in any case.
func (b bucket) mark(ctx context.Context, key, value string) error {
	tags, err := b.tags(ctx)
	if err != nil {
		return err
	}
	for _, t := range tags {
		if strings.HasPrefix(sdk.ToString(t.Key), "aws:") || sdk.ToString(t.Key) == key {
			return nil
		}
	}
	return b.setTags(ctx, append(tags, types.Tag{Key: &key, Value: &value}))
}

// unmark takes the tag off.
func (b bucket) unmark(ctx context.Context, key string) error {
	tags, err := b.tags(ctx)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(tags), func(t types.Tag) bool { return sdk.ToString(t.Key) == key })
	if len(left) == len(tags) {
		return nil
	}
	return b.setTags(ctx, left)
}

// denied asks for an object as somebody else, and says whether that was denied. Any other answer, also that there is no such
// object, is not a denial.
func (b bucket) denied(ctx context.Context, key string) (bool, error) {
	_, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	switch {
	case err == nil || is(err, "NotFound", "NoSuchKey"):
		return false, nil
	case is(err, "Forbidden", "AccessDenied"):
		return true, nil
	}
	return false, explain("ask for "+key, err)
}

// spared are the patterns of aws:PrincipalArn that are never denied: whoever calls, and must be able to call again.
func spared(caller string) ([]string, error) {
	part := strings.SplitN(caller, ":", 6)
	if len(part) != 6 {
		return nil, fmt.Errorf("the caller's ARN %q cannot be read", caller)
	}
	what := strings.Split(part[5], "/")
	switch {
	case part[2] == "iam" && (what[0] == "user" || what[0] == "root"), part[2] == "sts" && what[0] == "federated-user":
		return []string{caller}, nil
	case part[2] == "sts" && what[0] == "assumed-role" && len(what) == 3:
		// The session does not tell the path of its role.
		role := strings.Join([]string{"arn", part[1], "iam", "", part[4], "role/"}, ":")
		return []string{role + what[1], role + "*/" + what[1]}, nil
	}
	return nil, errors.New("who calls is " + caller + ": how to spare that in a policy is not known, and it could be locked out")
}
