package aws

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

// TestMain: the test binary is holder and reaper too. They have the same credentials, which exist in no account.
func TestMain(m *testing.M) {
	const done = "BELAY_AWS_TEST"
	if os.Getenv(done) == "" {
		for _, k := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"} {
			_ = os.Unsetenv(k)
		}
		for k, v := range map[string]string{
			done: "yes", "AWS_ACCESS_KEY_ID": awstest.KeyID, "AWS_SECRET_ACCESS_KEY": secret, "AWS_EC2_METADATA_DISABLED": "true",
			"AWS_CONFIG_FILE":             filepath.Join(os.TempDir(), fmt.Sprintf("belay-aws-test-%d-config", os.Getpid())),
			"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(os.TempDir(), fmt.Sprintf("belay-aws-test-%d", os.Getpid())),
		} {
			_ = os.Setenv(k, v)
		}
	}
	faulttest.Main(m, Kinds(), fault.Workers{})
}

// secret must be found in no plan, record or error.
const secret = "n0-such-secret-anywhere"

// simulated is a region of the simulated AWS, or says that the models are missing. The test then returns.
func simulated(t testing.TB) (*awstest.Server, bool) {
	t.Helper()
	models, err := awstest.Load()
	if errors.Is(err, awstest.ErrNoModels) && os.Getenv("CI") != "true" {
		t.Logf("NOT TESTED: %v", err)
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return awstest.New(t, models), true
}

// spec is a spec in the simulated region.
func spec(t testing.TB, srv *awstest.Server, service string, config any) fault.Spec {
	t.Helper()
	return faulttest.Spec(t, map[string]any{"aws": map[string]any{
		"account": awstest.Account, "region": awstest.Region, "endpoint": srv.URL, service: config,
	}})
}

// counter gives every rig a target of its own.
func counter() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("%08d", n) }
}
