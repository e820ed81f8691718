package identity

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// awsAccount is the account that the credentials belong to.
func awsAccount(ctx context.Context) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(2), config.WithLogger(logging.Nop{}))
	if err != nil {
		return "", errors.New("the AWS configuration cannot be read") // what it quotes may be a secret
	}
	if cfg.Credentials == nil {
		return "", errNoCredentials
	}
	if err := retrieve(ctx, cfg.Credentials); err != nil {
		return "", err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // the question is the same everywhere
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return "", err
	}
	return aws.ToString(who.Account), nil
}

// credentialsBound is how long it may take to have credentials. Without any, the SDK goes on to look for an instance's role.
const credentialsBound = 4 * time.Second

var errNoCredentials = errors.New("there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`")

// retrieve makes sure that there are credentials. What the SDK says is not repeated: it may quote what a credential process
// printed.
func retrieve(ctx context.Context, from aws.CredentialsProvider) error {
	ctx, cancel := context.WithTimeout(ctx, credentialsBound)
	defer cancel()
	if _, err := from.Retrieve(ctx); err != nil {
		return errNoCredentials
	}
	return nil
}

// awsRegion is the region in which commands work.
func awsRegion(ctx context.Context) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return "", errors.New("the AWS configuration cannot be read")
	}
	if cfg.Region == "" {
		return "", errors.New("no region is set: AWS_REGION names one")
	}
	return cfg.Region, nil
}
