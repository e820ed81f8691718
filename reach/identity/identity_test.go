package identity

import (
	"os"
	"strings"
	"testing"
)

func TestDiffers(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	// No credentials, no cluster, no network: what cannot be asked is never taken for an answer.
	t.Setenv("KUBECONFIG", "/nonexistent")
	t.Setenv("AWS_REGION", "eu-west-1")
	for _, c := range []struct {
		pinned map[string]string
		want   string
	}{
		{nil, ""},
		{map[string]string{"hostname": host}, ""},
		{map[string]string{"hostname": host, "region": "eu-west-1"}, ""},
		{map[string]string{"hostname": host + "x"}, `identity.hostname is "` + host + `" here, and the playbook says`},
		{map[string]string{"region": "us-west-2"}, `identity.region is "eu-west-1" here, and the playbook says "us-west-2"`},
		{map[string]string{"planet": "earth"}, "identity.planet cannot be looked at: what can be pinned is aws_account, hostname, kubernetes, machine_id, region"},
		{map[string]string{"kubernetes": ""}, "look at identity.kubernetes: "},
	} {
		err := Differs(t.Context(), c.pinned)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.pinned, err, c.want)
		}
	}
}
