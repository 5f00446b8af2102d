package outbox

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
)

// Classify returns an error of a call to AWS with its kind: by its code, which
// is more particular, then by its HTTP status. What has neither (no answer, a
// context that ended) is ErrUnavailable. The cause stays reachable.
func Classify(op string, err error) error {
	if err == nil {
		return nil
	}
	return &sumu.Error{Op: op, Kind: kindOf(err), Err: err}
}

func kindOf(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		if kind := kindOfCode(api.ErrorCode(), api.ErrorMessage()); kind != nil {
			return kind
		}
	}
	var answer interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) {
		if kind := kindOfStatus(answer.HTTPStatusCode()); kind != nil {
			return kind
		}
	}
	if api != nil && api.ErrorFault() == smithy.FaultClient {
		return sumu.ErrInvalid
	}
	return sumu.ErrUnavailable
}

func kindOfStatus(status int) error {
	switch {
	case status == http.StatusTooManyRequests:
		return sumu.ErrThrottled
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return sumu.ErrForbidden
	case status == http.StatusRequestEntityTooLarge:
		return sumu.ErrTooLarge
	case status == http.StatusRequestTimeout, status >= 500:
		return sumu.ErrUnavailable
	case status >= 400:
		return sumu.ErrInvalid
	}
	return nil
}

// codes are those that SQS, SNS, Kinesis and, behind them, KMS answer with,
// without the prefixes and suffixes that they have in one protocol or another.
var codes = map[string]error{
	"Throttling":                    sumu.ErrThrottled,
	"Throttled":                     sumu.ErrThrottled,
	"ThrottledRequest":              sumu.ErrThrottled,
	"RequestThrottled":              sumu.ErrThrottled,
	"RequestLimitExceeded":          sumu.ErrThrottled,
	"TooManyRequests":               sumu.ErrThrottled,
	"ProvisionedThroughputExceeded": sumu.ErrThrottled,
	"LimitExceeded":                 sumu.ErrThrottled,
	"OverLimit":                     sumu.ErrThrottled, // Too many messages in flight.
	"SlowDown":                      sumu.ErrThrottled,

	"AccessDenied":               sumu.ErrForbidden,
	"AuthorizationError":         sumu.ErrForbidden,
	"NotAuthorized":              sumu.ErrForbidden,
	"UnrecognizedClient":         sumu.ErrForbidden,
	"InvalidClientTokenId":       sumu.ErrForbidden,
	"InvalidSecurity":            sumu.ErrForbidden,
	"SignatureDoesNotMatch":      sumu.ErrForbidden,
	"IncompleteSignature":        sumu.ErrForbidden,
	"MissingAuthenticationToken": sumu.ErrForbidden,
	"ExpiredToken":               sumu.ErrForbidden,
	"OptInRequired":              sumu.ErrForbidden,

	"MessageTooLong":        sumu.ErrTooLarge,
	"BatchRequestTooLong":   sumu.ErrTooLarge,
	"RequestEntityTooLarge": sumu.ErrTooLarge,

	"InternalFailure":     sumu.ErrUnavailable,
	"InternalError":       sumu.ErrUnavailable,
	"InternalServerError": sumu.ErrUnavailable,
	"ServiceUnavailable":  sumu.ErrUnavailable,
	"RequestTimeout":      sumu.ErrUnavailable,
	"RequestExpired":      sumu.ErrUnavailable, // A clock: the SDK corrects it.
}

func kindOfCode(code, message string) error {
	name := code[strings.LastIndexByte(code, '.')+1:] // "AWS.SimpleQueueService.", "KMS."
	name = strings.TrimPrefix(strings.TrimPrefix(name, "KMS"), "Kms")
	if kind := codes[strings.TrimSuffix(name, "Exception")]; kind != nil {
		return kind
	}
	// A queue's or a topic's own limit has no code of its own.
	if strings.HasPrefix(name, "InvalidParameter") &&
		(strings.Contains(message, "must be shorter than") || strings.Contains(message, "too long")) {
		return sumu.ErrTooLarge
	}
	return nil
}

// missing reports whether the destination does not exist: an error that holds
// for every message.
func missing(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	code := api.ErrorCode()
	for _, part := range []string{"NotFound", "NonExistentQueue", "DoesNotExist"} {
		if strings.Contains(code, part) {
			return true
		}
	}
	return false
}

// EntryError is the failure of one entry of a batch. senderFault is what the
// reply says of it: that the same entry will fail again.
func EntryError(code, message string, senderFault bool) error {
	fault := smithy.FaultServer
	if senderFault {
		fault = smithy.FaultClient
	}
	return Classify("", &smithy.GenericAPIError{Code: code, Message: message, Fault: fault})
}
