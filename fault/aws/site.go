package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

const (
	// reachBound is how long it may take to learn whether AWS answers and who we are.
	reachBound = 6 * time.Second
	// roleBound is how long the instance may take to give us the credentials of its role. Elsewhere nothing answers there.
	roleBound = 3 * time.Second
	// dialBound, tries and backoff bound each call.
	dialBound = 2 * time.Second
	callBound = 10 * time.Second
	tries     = 5
	backoff   = time.Second
)

// site is one account and region, and what is known of it once it was reached.
type site struct {
	Account, Region, Profile, Endpoint string

	// cfg and caller are set by reach.
	cfg    *sdk.Config
	caller string
}

// reach returns the config of a client, once it is certain that the credentials belong to the account. Everything that is
// done or looked at goes through here: what is not found in another account would otherwise be taken for gone.
func (s *site) reach(ctx context.Context) (sdk.Config, error) {
	if s.cfg != nil {
		return *s.cfg, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachBound)
	defer cancel()
	cfg, err := s.credentials(ctx)
	if err != nil {
		return cfg, err
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return cfg, explain("ask AWS who we are", err)
	}
	if got := sdk.ToString(who.Account); got != s.Account {
		return cfg, fmt.Errorf("the credentials are for account %s, and the playbook says %s: choose the other ones with profile or AWS_PROFILE", got, s.Account)
	}
	s.cfg, s.caller = &cfg, sdk.ToString(who.Arn)
	return cfg, nil
}

// errNoCredentials says what helps. What the SDK says is not repeated: it may quote what a credential process printed.
var errNoCredentials = errors.New("there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`")

// credentials returns a config with credentials that could be had, without asking AWS for anything but them.
func (s *site) credentials(ctx context.Context) (sdk.Config, error) {
	cfg, err := s.load(ctx)
	if err != nil {
		return cfg, err
	}
	if cfg.Credentials == nil {
		return cfg, errNoCredentials
	}
	if source(cfg) == sourceNone { // what is left is the role of the instance that we may run on
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, roleBound)
		defer cancel()
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, errNoCredentials
	}
	return cfg, nil
}

// load reads the environment and the shared config. It asks nobody for anything. The SDK's own log is nobody's.
func (s *site) load(ctx context.Context, more ...func(*config.LoadOptions) error) (sdk.Config, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithRegion(s.Region),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callBound).WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialBound })),
		config.WithRetryer(func() sdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = tries, backoff })
		}),
	}
	if s.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(s.Profile))
	}
	if s.Endpoint != "" {
		opts = append(opts, config.WithBaseEndpoint(s.Endpoint))
	}
	cfg, err := config.LoadDefaultConfig(ctx, append(opts, more...)...)
	var noProfile config.SharedConfigProfileNotExistError
	var unread config.SharedConfigLoadError
	switch {
	case errors.As(err, &noProfile):
		return cfg, fmt.Errorf("there is no profile %q in the shared AWS config", noProfile.Profile)
	case errors.As(err, &unread):
		return cfg, fmt.Errorf("the shared AWS config %s cannot be read: see `aws configure list`", unread.Filename)
	case err != nil:
		return cfg, errors.New("the shared AWS config cannot be read: see `aws configure list`")
	}
	return cfg, nil
}

// Where credentials would come from. Those that are not at hand may be asked for over the network, or of another program.
const (
	sourceKeys = "keys"
	sourceElse = "asked for elsewhere"
	sourceNone = ""
)

// source says where the credentials of a config come from. It asks nobody.
func source(cfg sdk.Config) string {
	for _, c := range cfg.ConfigSources {
		switch c := c.(type) {
		case config.EnvConfig:
			switch {
			case c.Credentials.HasKeys():
				return sourceKeys
			case c.WebIdentityTokenFilePath != "", c.ContainerCredentialsEndpoint != "", c.ContainerCredentialsRelativePath != "":
				return sourceElse
			}
		case config.SharedConfig:
			switch {
			case c.Credentials.HasKeys():
				return sourceKeys
			case c.RoleARN != "", c.CredentialSource != "", c.CredentialProcess != "", c.WebIdentityTokenFile != "",
				c.SSOSession != nil, c.SSOStartURL != "", c.LoginSession != "":
				return sourceElse
			}
		}
	}
	return sourceNone
}

// atHand says whether credentials are configured, without asking anybody for them: neither AWS, nor another program, nor the
// metadata service of an instance.
func (s *site) atHand(ctx context.Context) error {
	cfg, err := s.load(ctx, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	if err == nil && source(cfg) == sourceNone {
		return fmt.Errorf("%w. Whether an instance has a role was not looked at: a plan does", errNoCredentials)
	}
	return err
}

// claim names something that only one fault at a time may have.
func (s *site) claim(kind, id string) string {
	return strings.Join([]string{"aws", s.Account, s.Region, kind, id}, " ")
}
