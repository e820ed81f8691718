package aws

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

// store is a real S3 server behind the simulated region, with a user who makes faults and one who suffers from them.
type store struct {
	*awstest.Server
	runner, app *s3.Client
}

func realS3(t testing.TB) (store, bool) {
	t.Helper()
	srv, ok := simulated(t)
	if !ok {
		return store{}, false
	}
	program := awstest.FindS3("../..")
	if program == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("versitygw is missing: tools/versitygw/build")
		}
		t.Log("NOT TESTED: versitygw is missing: tools/versitygw/build")
		return store{}, false
	}
	real := awstest.StartS3(t, program)
	srv.Forward("s3", real.Gateway)
	srv.Forward("sts", real.IAM)
	var file strings.Builder
	client := func(name string) *s3.Client {
		keys := real.User(t, name)
		fmt.Fprintf(&file, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, keys.AccessKeyID, keys.SecretAccessKey)
		return s3.New(s3.Options{
			Region: awstest.S3Region, BaseEndpoint: sdk.String(srv.URL), UsePathStyle: true,
			Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) { return keys, nil }),
		})
	}
	s := store{srv, client("runner"), client("app")}
	path := os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	return s, true
}

// appARN is who suffers. The gateway does not know aws:PrincipalArn in policies of buckets, so that a deny for everybody would be one
// for the runner's objects too there; the runner's right to change the policy is never touched.
const appARN = "arn:aws:iam::" + awstest.S3Account + ":user/app"

// spec is a spec of a deny, by the user runner.
func (s store) spec(t testing.TB, config map[string]any) fault.Spec {
	t.Helper()
	return faulttest.Spec(t, map[string]any{"aws": map[string]any{
		"account": awstest.S3Account, "region": awstest.S3Region, "endpoint": s.URL, "profile": "runner", "s3": map[string]any{"deny": config},
	}})
}

// bucket makes a bucket with one object, a policy if there is one, and a tag.
func (s store) bucket(t testing.TB, name, policy string) {
	t.Helper()
	ctx := t.Context()
	_, err := s.runner.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	if err == nil {
		_, err = s.runner.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: sdk.String("in/x"), Body: strings.NewReader("x")})
	}
	if err == nil {
		_, err = s.runner.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: sdk.String("out/x"), Body: strings.NewReader("x")})
	}
	if err == nil && policy != "" {
		s.setPolicy(t, name, policy)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s store) setPolicy(t testing.TB, name, policy string) {
	t.Helper()
	if _, err := s.runner.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &name, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
}

// policy is the policy of a bucket; empty when there is none.
func (s store) policy(t testing.TB, name string) string {
	got, err := s.runner.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &name})
	if err != nil {
		return ""
	}
	return sdk.ToString(got.Policy)
}

// can says whether somebody can read an object.
func can(t testing.TB, c *s3.Client, bucket, key string) bool {
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	return err == nil
}

// allowAll is a policy that has nothing of ours.
func allowAll(bucket, sid string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"` + sid + `","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/*"}]}`
}

func TestDenyConformance(t *testing.T) {
	s, ok := realS3(t)
	if !ok {
		return
	}
	next := counter()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		name := "belay-" + next()
		old := allowAll(name, "before")
		s.bucket(t, name, old)
		return faulttest.Rig{
			Kinds:  Kinds(),
			Spec:   s.spec(t, map[string]any{"bucket": name, "prefix": "in/", "principals": []string{appARN}, "as_profile": "app"}),
			Broken: func() bool { return !can(t, s.app, name, "in/x") },
			Change: func() { s.setPolicy(t, name, allowAll(name, "recovery")) },
			Intact: func() bool { return strings.Contains(s.policy(t, name), "recovery") && can(t, s.app, name, "in/x") },
			Remove: func() {
				for _, key := range []string{"in/x", "out/x"} {
					if _, err := s.runner.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &name, Key: &key}); err != nil {
						t.Error(err)
					}
				}
				if _, err := s.runner.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &name}); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

// No policy before means none after; a policy that was changed around our statement loses that alone; and the tags of others
// stay. One who is not named, and everything beside the prefix, is served all the time.
func TestDenyLeavesTheRestAlone(t *testing.T) {
	s, ok := realS3(t)
	if !ok {
		return
	}
	name := "belay-rest"
	s.bucket(t, name, "")
	_, err := s.runner.PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{Bucket: &name, Tagging: &types.Tagging{
		TagSet: []types.Tag{{Key: sdk.String("team"), Value: sdk.String("books")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{"bucket": name, "prefix": "in/", "principals": []string{appARN}, "as_profile": "app"}
	h, _ := held(t, s.spec(t, config))
	if can(t, s.app, name, "in/x") || !can(t, s.app, name, "out/x") || !can(t, s.runner, name, "in/x") {
		t.Error("not exactly the app is denied, not exactly below the prefix")
	}
	if want := "in/belay-looks-whether-this-is-denied is denied to profile app"; h.Status().Confirmed != want {
		t.Errorf("confirmed by %q, want %q", h.Status().Confirmed, want)
	}
	if tags := s.tags(t, name); !strings.HasPrefix(tags, "belay:fault:f1=v1 until=") || !strings.HasSuffix(tags, " team=books") {
		t.Errorf("the tags are %s", tags)
	}
	if st, err := h.Release(t.Context()); err != nil || st.State != fault.Reverted {
		t.Fatalf("state is %s, %v", st.State, err)
	}
	if p := s.policy(t, name); p != "" || s.tags(t, name) != "team=books" || !can(t, s.app, name, "in/x") {
		t.Errorf("left behind: policy %q, tags %s", p, s.tags(t, name))
	}

	h, _ = held(t, s.spec(t, config))
	more, err := with(s.policy(t, name), statement{Sid: "theirs", Effect: "Allow", Principal: "*", Action: []string{"s3:GetObject"}, Resource: []string{"arn:aws:s3:::" + name + "/out/*"}})
	if err != nil {
		t.Fatal(err)
	}
	s.setPolicy(t, name, more)
	st, err := h.Release(t.Context())
	if err != nil || st.State != fault.Superseded || st.Superseded[0] != "the policy of bucket belay-rest was changed by somebody else since: only our statement was taken out" {
		t.Fatalf("state is %s %v, %v", st.State, st.Superseded, err)
	}
	if p := s.policy(t, name); !strings.Contains(p, "theirs") || strings.Contains(p, "Belay") || !can(t, s.app, name, "in/x") {
		t.Errorf("the policy is %s", p)
	}
	config["principals"] = []string{"arn:aws:iam::" + awstest.S3Account + ":user/runner"}
	_, err = plan(t, s.spec(t, config))
	if want := "arn:aws:iam::000000000000:user/runner is who makes the fault, and must be able to take it back"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func (s store) tags(t testing.TB, name string) string {
	t.Helper()
	got, err := s.runner.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: &name})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, tag := range got.TagSet {
		out = append(out, sdk.ToString(tag.Key)+"="+sdk.ToString(tag.Value))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
