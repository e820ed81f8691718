package aws

import (
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

// What has a tag of production is known to be production's.
func TestProduction(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001", Tags: map[string]string{"Environment": "Prod"}}, awstest.Instance{ID: "i-00000002", Tags: map[string]string{"env": "staging"}})
	srv.RDS.Instance("orders", true)
	srv.RDS.Tag("orders", "belay:environment", "production")
	srv.RDS.Cluster("books", "one", "two")
	srv.RDS.Tag("books", "Env", "live")
	srv.Route53.Zone("Z1", "example.com.", false, a("www.example.com.", "192.0.2.1"))
	srv.Route53.Tag("Z1", "environment", "prd")
	srv.Route53.Check("abc")
	srv.Route53.Tag("abc", "environment", "production")
	tagged, aimed, plain := template(), template(), template()
	tagged["tags"] = map[string]any{"environment": "production"}
	aimed["targets"].(map[string]any)["some"].(map[string]any)["resourceTags"] = map[string]any{"env": "prod"}
	srv.FIS.Template("EXT1", tagged)
	srv.FIS.Template("EXT2", aimed)
	srv.FIS.Template("EXT3", plain)
	type m = map[string]any
	for _, c := range []struct {
		service string
		config  m
		want    string
	}{
		{"ec2", m{"stop": m{"instances": []string{"i-00000001"}}}, "instance i-00000001 has the tag Environment=Prod"},
		{"ec2", m{"terminate": m{"instances": []string{"i-00000001"}, "for_good": true}}, "instance i-00000001 has the tag Environment=Prod"},
		{"ec2", m{"stop": m{"instances": []string{"i-00000002"}}}, ""},
		{"rds", m{"reboot": m{"instance": "orders"}}, "RDS instance orders has the tag belay:environment=production"},
		{"rds", m{"reboot": m{"cluster": "books"}}, "RDS cluster books has the tag Env=live"},
		{"route53", m{"record": m{"zone": "Z1", "name": "www.example.com", "type": "A", "values": []string{"192.0.2.9"}}}, "hostedzone Z1 has the tag environment=prd"},
		{"route53", m{"health_check": m{"invert": "abc"}}, "healthcheck abc has the tag environment=production"},
		{"fis", m{"start": "EXT1"}, "template EXT1 has the tag environment=production"},
		{"fis", m{"start": "EXT2"}, "template EXT2 aims at what has the tag env=prod"},
		{"fis", m{"start": "EXT3"}, ""},
	} {
		if p, err := plan(t, spec(t, srv, c.service, c.config)); err != nil || p.Production != c.want {
			t.Errorf("%v: %q, %v, want %q", c.config, p.Production, err, c.want)
		}
	}
}

// A target that has the tag of another fault is refused, also when that one is of another host.
func TestHeldByAnother(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	const other = "belay:fault:other"
	srv.EC2.Run(awstest.Instance{ID: "i-00000001", Tags: map[string]string{other: "v1 until=2026-01-02T03:04:05Z undo=start"}})
	srv.RDS.Instance("orders", true)
	srv.RDS.Tag("orders", other, "v1 until=unknown undo=none")
	srv.Route53.Zone("Z1", "example.com.", false, a("www.example.com.", "192.0.2.1"), a("api.example.com.", "192.0.2.1"))
	srv.Route53.Tag("Z1", other, "v1 until=unknown undo=www.example.com./A/ 192.0.2.7")
	srv.Route53.Check("abc")
	srv.Route53.Tag("abc", other, "v1 until=unknown undo=not-inverted")
	srv.FIS.Template("EXT1", template())
	h, _ := held(t, spec(t, srv, "fis", map[string]any{"start": "EXT1"})) // its ID is f1
	type m = map[string]any
	for _, c := range []struct {
		service string
		config  m
		want    string
	}{
		{"ec2", m{"stop": m{"instances": []string{"i-00000001"}}}, "i-00000001 is held by fault other (until=2026-01-02T03:04:05Z): end that one first; if it is over, take the tag belay:fault:other away"},
		{"rds", m{"reboot": m{"instance": "orders"}}, "RDS instance orders is held by fault other (until=unknown): "},
		{"route53", m{"record": m{"zone": "Z1", "name": "www.example.com.", "type": "A", "values": []string{"192.0.2.9"}}}, "hostedzone Z1 is held by fault other"},
		{"route53", m{"record": m{"zone": "Z1", "name": "api.example.com", "type": "A", "values": []string{"192.0.2.9"}}}, ""},
		{"route53", m{"health_check": m{"invert": "abc"}}, "healthcheck abc is held by fault other"},
	} {
		_, err := plan(t, spec(t, srv, c.service, c.config))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.config, err, c.want)
		}
	}
	target, err := Kinds().Decode(spec(t, srv, "fis", m{"start": "EXT1"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Plan(t.Context(), faultAsk("f2")); err == nil || !strings.Contains(err.Error(), " is held by fault f1 (until=") {
		t.Errorf("a second experiment: %v", err)
	}
	if _, err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Plan(t.Context(), faultAsk("f2")); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

// A statement of another fault in a policy is seen, our own is not another's.
func TestOthersStatement(t *testing.T) {
	d := Deny{Bucket: "books"}
	mine, err := with("", d.statement("f1", "aws", []string{"arn:aws:iam::111122223333:user/x"}))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"": "", `{"Statement":[{"Sid":"Belayed"}]}`: "", `{"Statement":{"Sid":"Belay0123456789abcdef"}}`: "Belay0123456789abcdef",
	} {
		if got := othersStatement(text, sid("f1")); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := othersStatement(mine, sid("f1")); got != "" {
		t.Errorf("our own: %q", got)
	}
	if got := othersStatement(mine, sid("f2")); got != sid("f1") {
		t.Errorf("another's: %q", got)
	}
}
