package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
)

// failed names the operation, and what it was about unless that is oversized.
func failed(op, what string, err error) error {
	if what != "" && len(what) <= 100 {
		op += " " + what
	}
	return &sumu.Error{Op: op, Err: err}
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}

// kinds are DynamoDB's error codes (read 2026-11). What is not here may
// succeed later.
var kinds = map[string]error{
	"ProvisionedThroughputExceededException": sumu.ErrThrottled,
	"ProvisionedThroughputExceeded":          sumu.ErrThrottled, // of a cancelled transaction, as the next
	"ThrottlingError":                        sumu.ErrThrottled,
	"ThrottlingException":                    sumu.ErrThrottled,
	"Throttling":                             sumu.ErrThrottled,
	"RequestLimitExceeded":                   sumu.ErrThrottled,
	"LimitExceededException":                 sumu.ErrThrottled,

	"TransactionConflict":              sumu.ErrConflict,
	"TransactionConflictException":     sumu.ErrConflict,
	"TransactionInProgressException":   sumu.ErrConflict,
	"ConditionalCheckFailed":           sumu.ErrConflict,
	"ConditionalCheckFailedException":  sumu.ErrConflict,
	"ReplicatedWriteConflictException": sumu.ErrConflict,

	"ValidationException":                      sumu.ErrInvalid,
	"ValidationError":                          sumu.ErrInvalid,
	"SerializationException":                   sumu.ErrInvalid,
	"ItemCollectionSizeLimitExceeded":          sumu.ErrInvalid,
	"ItemCollectionSizeLimitExceededException": sumu.ErrInvalid,
	"IdempotentParameterMismatchException":     sumu.ErrInvalid,

	"AccessDeniedException":               sumu.ErrForbidden,
	"UnrecognizedClientException":         sumu.ErrForbidden,
	"InvalidSignatureException":           sumu.ErrForbidden,
	"IncompleteSignatureException":        sumu.ErrForbidden,
	"IncompleteSignature":                 sumu.ErrForbidden,
	"MissingAuthenticationTokenException": sumu.ErrForbidden,
	"MissingAuthenticationToken":          sumu.ErrForbidden,
	"OptInRequired":                       sumu.ErrForbidden,
}

// classified is a failure of the client as an error of this module: its kind,
// and DynamoDB's error as its cause. When ctx has ended that is the cause.
func classified(ctx context.Context, op, what, table string, err error) error {
	if ctx.Err() != nil {
		return failed(op, what, ctx.Err())
	}
	var own *sumu.Error
	if errors.As(err, &own) {
		return failed(op, what, err)
	}
	kind := kindOf(err)
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		// Not ErrInvalid: a queue would drop what it holds, for a fault that
		// is not the message's and that somebody will mend.
		err = fmt.Errorf("table %s does not exist; create it with CreateTables or your infrastructure code: %w", table, err)
	}
	return failed(op, what, &sumu.Error{Kind: kind, Err: err})
}

// severity orders the kinds of a transaction's reasons: what cannot succeed
// decides, then what needs a pause.
var severity = []error{sumu.ErrForbidden, sumu.ErrInvalid, sumu.ErrThrottled, sumu.ErrConflict}

func kindOf(err error) error {
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, kind := range severity {
			if slices.ContainsFunc(cancelled.CancellationReasons, func(r types.CancellationReason) bool {
				return r.Code != nil && kinds[*r.Code] == kind
			}) {
				return kind
			}
		}
		return sumu.ErrUnavailable
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if kind, ok := kinds[api.ErrorCode()]; ok {
			return kind
		}
	}
	// A fault of the server, or of the way to it.
	return sumu.ErrUnavailable
}

// conditionFailed returns DynamoDB's answer that a write's condition does not
// hold; nil for any other error.
func conditionFailed(err error) *types.ConditionalCheckFailedException {
	var failed *types.ConditionalCheckFailedException
	errors.As(err, &failed)
	return failed
}

// conflictTries is how often a write is tried while a transaction holds its item.
const conflictTries = 10

// write makes a write, again while a transaction holds its item: that is over
// in a moment, and DynamoDB's client does not wait for it.
func write[Out any](ctx context.Context, call func() (Out, error)) (out Out, err error) {
	for try := 1; ; try++ {
		out, err = call()
		var conflict *types.TransactionConflictException
		if try == conflictTries || !errors.As(err, &conflict) || pause(ctx, try) != nil {
			return out, err
		}
	}
}

// pause waits before another try: 1 to 10 ms at first, up to 200 ms later.
func pause(ctx context.Context, try int) error {
	longest := min(10*time.Millisecond<<min(try-1, 8), 200*time.Millisecond)
	timer := time.NewTimer(time.Millisecond + rand.N(longest))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
