package aws

import (
	"context"
	"errors"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// onlyRefused asks again only what AWS has refused because it was busy. A request whose answer was lost may have been carried out:
// asked again, it would be carried out twice.
type onlyRefused struct{ sdk.Retryer }

// once is a retryer for what must not be done twice.
func once(r sdk.Retryer) sdk.Retryer { return onlyRefused{r} }

func (r onlyRefused) IsErrorRetryable(err error) bool {
	return retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}.IsErrorThrottle(err).Bool()
}

// lost says that no answer came although we went on waiting for one: nobody knows yet whether it was carried out.
func lost(ctx context.Context, err error) bool {
	var said smithy.APIError
	return err != nil && ctx.Err() == nil && !errors.As(err, &said)
}
