package aws

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aws/aws-sdk-go-v2/service/fis/types"
	"github.com/belay-dr/belay/fault"
)

func ours() statement {
	return (&Deny{Bucket: "b", Prefix: "in/"}).statement("f1", "aws", []string{"arn:aws:iam::111122223333:user/x"})
}

// Whatever a policy says, ours goes in and out of it without a trace.
func TestPolicyInAndOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []map[string]any
		for range rapid.IntRange(0, 4).Draw(t, "statements") {
			all = append(all, map[string]any{
				"Sid": rapid.StringMatching(`[A-Za-z0-9]{0,8}`).Draw(t, "sid"), "Effect": "Allow", "Principal": rapid.SampledFrom([]any{"*", map[string]any{"AWS": "x"}}).Draw(t, "principal"),
				"Action": rapid.String().Draw(t, "action"), "Odd": rapid.Int64().Draw(t, "number"),
			})
		}
		old := ""
		if len(all) > 0 {
			var list any = all
			if len(all) == 1 && rapid.Bool().Draw(t, "alone") {
				list = all[0]
			}
			b, _ := json.Marshal(map[string]any{"Version": "2008-10-17", "Id": "x", "Statement": list})
			old = string(b)
		}
		changed, err := with(old, ours())
		if err != nil {
			t.Fatal(err)
		}
		rest, found, err := without(changed, sid("f1"))
		if err != nil || found == nil {
			t.Fatalf("ours is not found: %v", err)
		}
		if _, found, _ := without(rest, sid("f1")); found != nil {
			t.Fatal("ours is still there")
		}
		if again, err := with(rest, ours()); err != nil || !samePolicy(again, changed) {
			t.Fatalf("%s\nis not\n%s (%v)", again, changed, err)
		}
		if samePolicy(changed, old) {
			t.Fatal("a policy with ours equals one without")
		}
	})
}

func TestStatement(t *testing.T) {
	b, err := json.Marshal(ours())
	const want = `{"Sid":"Belay6af76ff91a1be3cf","Effect":"Deny","Principal":"*","Action":["s3:GetObject","s3:GetObjectVersion","s3:PutObject","s3:DeleteObject","s3:DeleteObjectVersion"],` +
		`"Resource":["arn:aws:s3:::b/in/*"],"Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::111122223333:user/x"]}}}`
	if err != nil || string(b[strings.Index(string(b), `"Effect"`):]) != want[strings.Index(want, `"Effect"`):] {
		t.Errorf("got %s, %v", b, err)
	}
	for _, access := range []string{"", "all", "read", "write"} {
		for _, a := range (&Deny{Bucket: "b", Access: access}).statement("f1", "aws", nil).Action {
			if strings.Contains(a, "*") || strings.Contains(a, "Policy") || strings.Contains(a, "Tagging") {
				t.Errorf("access %q denies %s: nobody may be locked out of the policy", access, a)
			}
		}
	}
}

func TestSpared(t *testing.T) {
	for caller, want := range map[string]string{
		"arn:aws:iam::111122223333:user/team/x":                "arn:aws:iam::111122223333:user/team/x",
		"arn:aws:iam::111122223333:root":                       "arn:aws:iam::111122223333:root",
		"arn:aws-cn:sts::111122223333:federated-user/x":        "arn:aws-cn:sts::111122223333:federated-user/x",
		"arn:aws:sts::111122223333:assumed-role/Admin/session": "arn:aws:iam::111122223333:role/Admin arn:aws:iam::111122223333:role/*/Admin",
		"arn:aws:sts::111122223333:assumed-role/Admin":         "",
		"arn:aws:iam::111122223333:group/x":                    "",
		"x":                                                    "",
	} {
		got, err := spared(caller)
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %v, %v", caller, got, err)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"Statement":{"Sid":"x"}}`)
	f.Add(`{"Version":"2012-10-17","Statement":[1,null,{}]}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		changed, err := with(text, ours())
		if err != nil {
			return
		}
		if _, found, err := without(changed, sid("f1")); err != nil || found == nil {
			t.Errorf("ours is lost in %s: %v", changed, err)
		}
	})
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"PT2M": 2 * time.Minute, "PT1H30M": 90 * time.Minute, "P1DT1S": 24*time.Hour + time.Second, "PT12H": 12 * time.Hour} {
		if got, err := parseISO(text); err != nil || got != want {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2M", "P1Y", "PT99999999999H"} {
		if got, err := parseISO(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
	chain := map[string]types.ExperimentTemplateAction{
		"a": {Parameters: map[string]string{"duration": "PT1M"}},
		"b": {Parameters: map[string]string{"duration": "PT2M"}, StartAfter: []string{"a"}},
		"c": {StartAfter: []string{"b"}},
	}
	if d, err := longest(chain); err != nil || d != 3*time.Minute {
		t.Errorf("got %s, %v", d, err)
	}
	chain["a"] = types.ExperimentTemplateAction{StartAfter: []string{"c"}}
	if d, err := longest(chain); err == nil {
		t.Errorf("a circle lasts %s", d)
	}
}

// Every service takes the tag.
func TestMark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := mark(fault.Ask{ID: "f1", Limit: time.Minute}, time.Unix(0, 0), rapid.String().Draw(t, "undo"))
		if len(v) > 255 || !strings.HasPrefix(v, "v1 until=1970-01-01T00:01:00Z ") || strings.ContainsAny(v, "\"'<>&\n,;") {
			t.Fatalf("%q", v)
		}
	})
}
