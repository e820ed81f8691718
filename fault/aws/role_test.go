package aws

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

// On an instance with a role, a plan uses it, and a look for capabilities does not ask for it.
func TestInstanceRole(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	var asked atomic.Int64
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
			fmt.Fprint(w, "token")
		case "/latest/meta-data/iam/security-credentials/":
			fmt.Fprint(w, "runner")
		case "/latest/meta-data/iam/security-credentials/runner":
			fmt.Fprintf(w, `{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": %q, "SecretAccessKey": %q, "Token": "t", "Expiration": %q}`,
				awstest.KeyID, secret, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		case "/latest/meta-data/instance-id":
			fmt.Fprint(w, "i-00000001")
		default:
			http.NotFound(w, r)
		}
	}))
	defer metadata.Close()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.URL,
	} {
		t.Setenv(k, v)
	}
	for _, c := range Capabilities(t.Context()) {
		if c.Here {
			t.Errorf("%s is said to be here", c.Fault)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("a look for capabilities asked the metadata service %d times", n)
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"}, awstest.Instance{ID: "i-00000002"})
	if _, err := plan(t, spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"instances": []string{"i-00000002"}}})); err != nil {
		t.Errorf("with the role of the instance: %v", err)
	}
	_, err := plan(t, spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"instances": []string{"i-00000001"}}}))
	if err == nil || err.Error() != "i-00000001 is the instance that this runs on" {
		t.Errorf("our own instance: %v", err)
	}
}

// A metadata service that never answers is given up soon, and said to be no credentials.
func TestNoInstanceRole(t *testing.T) {
	stop := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer silent.Close()
	defer close(stop)
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": silent.URL,
	} {
		t.Setenv(k, v)
	}
	began := time.Now()
	_, err := plan(t, faulttest.Spec(t, map[string]any{"aws": map[string]any{"account": awstest.Account, "region": awstest.Region, "fis": map[string]any{"start": "EXT1"}}}))
	if err == nil || err.Error() != errNoCredentials.Error() {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > roleBound+2*time.Second {
		t.Errorf("it took %s", took)
	}
}
