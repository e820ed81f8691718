package identity

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// quiet keeps the SDK from writing to our standard error: that it tried one way after another is not the reader's business.
func quiet(o *config.LoadOptions) error {
	o.Logger = logging.Nop{}
	return nil
}

// awsAccount is the account that the credentials belong to.
func awsAccount(ctx context.Context) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx, quiet, config.WithRetryMaxAttempts(2))
	if err != nil {
		return "", errors.New("the AWS configuration cannot be read") // what it quotes may be a secret
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

// awsRegion is the region in which commands work.
func awsRegion(ctx context.Context) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx, quiet)
	if err != nil {
		return "", errors.New("the AWS configuration cannot be read")
	}
	if cfg.Region == "" {
		return "", errors.New("no region is set: AWS_REGION names one")
	}
	return cfg.Region, nil
}
