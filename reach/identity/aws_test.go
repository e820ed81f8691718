package identity

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Nobody else is asked where this host's own answer is enough.
func TestCheapestFirst(t *testing.T) {
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
			`<Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	defer srv.Close()
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": srv.URL, "AWS_ACCESS_KEY_ID": "AKIABELAYTESTRUNNER0", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	pinned := map[string]string{"aws_account": "111122223333", "region": "us-west-2"}
	if err := Differs(t.Context(), pinned); err == nil || !strings.Contains(err.Error(), "identity.region is") || asked.Load() > 0 {
		t.Errorf("%v, AWS was asked %d times", err, asked.Load())
	}
	pinned["region"] = "eu-west-1"
	if err := Differs(t.Context(), pinned); err != nil || asked.Load() == 0 {
		t.Errorf("%v, AWS was asked %d times", err, asked.Load())
	}
}

// Without credentials it says so, and never what a program for credentials printed.
func TestNoCredentials(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	for k, v := range map[string]string{
		"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "",
	} {
		t.Setenv(k, v)
	}
	for _, text := range []string{"", "[default]\ncredential_process = /bin/echo s3cret\n"} {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Live(t.Context(), "aws_account")
		if err == nil || !strings.Contains(err.Error(), "there are no AWS credentials") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
