package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/aws/smithy-go"
)

// explain makes one line of what the SDK returned, with what helps. Addresses are cut down to scheme and host.
func explain(verb string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return answered{verb, api.ErrorCode(), api.ErrorMessage()}
	}
	var sent *url.Error
	if errors.As(err, &sent) {
		at := sent.URL
		if u, perr := url.Parse(sent.URL); perr == nil {
			at = u.Scheme + "://" + u.Host
		}
		return fmt.Errorf("%s: %s does not answer: %w: look at region, endpoint and the network", verb, at, sent.Err)
	}
	if unread := (*smithy.DeserializationError)(nil); errors.As(err, &unread) {
		return fmt.Errorf("%s: what answers there does not speak as AWS does: look at endpoint and AWS_ENDPOINT_URL", verb)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: AWS did not answer in time: look at region, endpoint and the network: %w", verb, context.DeadlineExceeded)
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// answered is an error that AWS answered with.
type answered struct{ verb, code, text string }

func (a answered) Error() string {
	hint := ""
	switch a.code {
	case "UnknownError": // what answered did not speak AWS's language
		return a.verb + ": what answers there does not speak as AWS does: look at endpoint and AWS_ENDPOINT_URL"
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException":
		hint = ": the credentials lack a permission"
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		hint = ": log in again"
	case "InvalidClientTokenId", "SignatureDoesNotMatch", "AuthFailure", "UnrecognizedClientException":
		hint = ": AWS does not know these credentials"
	}
	return fmt.Sprintf("%s: %s: %s%s", a.verb, a.code, a.text, hint)
}

// is says that an error is an answer with one of these codes.
func is(err error, codes ...string) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		return slices.Contains(codes, api.ErrorCode())
	}
	var known answered
	return errors.As(err, &known) && slices.Contains(codes, known.code)
}
