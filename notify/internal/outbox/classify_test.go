package outbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

func answer(status int, cause error) error {
	return &smithy.OperationError{ServiceID: "SQS", OperationName: "Any", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: cause,
	}}
}

func TestClassify(t *testing.T) {
	code := func(c string) error { return &smithy.GenericAPIError{Code: c} }
	old := "AWS.SimpleQueueService.NonExistentQueue"
	for name, tt := range map[string]struct {
		err  error
		want error
	}{
		"RequestThrottled":         {answer(400, &sqstypes.RequestThrottled{}), sumu.ErrThrottled},
		"OverLimit":                {answer(400, &sqstypes.OverLimit{}), sumu.ErrThrottled},
		"KmsThrottled":             {answer(400, &sqstypes.KmsThrottled{}), sumu.ErrThrottled},
		"KmsAccessDenied":          {answer(400, &sqstypes.KmsAccessDenied{}), sumu.ErrForbidden},
		"KmsDisabled":              {answer(400, &sqstypes.KmsDisabled{}), sumu.ErrInvalid},
		"KMS.ThrottlingException":  {answer(400, code("KMS.ThrottlingException")), sumu.ErrThrottled},
		"QueueDoesNotExist":        {answer(400, &sqstypes.QueueDoesNotExist{ErrorCodeOverride: &old}), sumu.ErrInvalid},
		"InvalidMessageContents":   {answer(400, &sqstypes.InvalidMessageContents{}), sumu.ErrInvalid},
		"ReceiptHandleIsInvalid":   {answer(404, &sqstypes.ReceiptHandleIsInvalid{}), sumu.ErrInvalid},
		"BatchRequestTooLong":      {answer(400, &sqstypes.BatchRequestTooLong{}), sumu.ErrTooLarge},
		"the queue's own limit":    {answer(400, &smithy.GenericAPIError{Code: "InvalidParameterValue", Message: "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes."}), sumu.ErrTooLarge},
		"SNS, too long":            {answer(400, &snstypes.InvalidParameterException{Message: ptr("Invalid parameter: Message too long")}), sumu.ErrTooLarge},
		"SNS, throttled":           {answer(429, &snstypes.ThrottledException{}), sumu.ErrThrottled},
		"SNS, not allowed":         {answer(403, &snstypes.AuthorizationErrorException{}), sumu.ErrForbidden},
		"SNS, KMS throttled":       {answer(400, &snstypes.KMSThrottlingException{}), sumu.ErrThrottled},
		"SNS, internal":            {answer(500, &snstypes.InternalErrorException{}), sumu.ErrUnavailable},
		"SNS, no topic":            {answer(404, &snstypes.NotFoundException{}), sumu.ErrInvalid},
		"Kinesis, throughput":      {answer(400, &kinesistypes.ProvisionedThroughputExceededException{}), sumu.ErrThrottled},
		"Kinesis, no stream":       {answer(400, &kinesistypes.ResourceNotFoundException{}), sumu.ErrInvalid},
		"Kinesis, KMS not allowed": {answer(400, &kinesistypes.KMSAccessDeniedException{}), sumu.ErrForbidden},
		"status 503":               {answer(503, io.ErrUnexpectedEOF), sumu.ErrUnavailable},
		"status 429":               {answer(429, io.ErrUnexpectedEOF), sumu.ErrThrottled},
		"status 413":               {answer(413, io.ErrUnexpectedEOF), sumu.ErrTooLarge},
		"status 403":               {answer(403, code("Unheard")), sumu.ErrForbidden},
		"expired token":            {answer(400, code("ExpiredTokenException")), sumu.ErrForbidden},
		"no answer":                {io.ErrUnexpectedEOF, sumu.ErrUnavailable},
		"canceled":                 {context.Canceled, sumu.ErrUnavailable},
		"no credentials":           {&smithy.OperationError{Err: errors.New("get identity")}, sumu.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			got := outbox.Classify("op", tt.err)
			var own *sumu.Error
			if !errors.As(got, &own) || own.Kind != tt.want {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			if !errors.Is(got, tt.err) {
				t.Error("the cause is not reachable")
			}
			if want := tt.want == sumu.ErrThrottled || tt.want == sumu.ErrUnavailable; sumu.Retryable(got) != want {
				t.Errorf("Retryable is %v", !want)
			}
		})
	}
	if outbox.Classify("op", nil) != nil {
		t.Error("no error became one")
	}
}

func ptr[T any](v T) *T { return &v }

func TestEntryError(t *testing.T) {
	for name, tt := range map[string]struct {
		code        string
		senderFault bool
		want        error
	}{
		"throttled, whoever is to blame": {"RequestThrottled", true, sumu.ErrThrottled},
		"internal":                       {"InternalError", false, sumu.ErrUnavailable},
		"unheard of":                     {"Surprise", false, sumu.ErrUnavailable},
		"unheard of, ours":               {"Surprise", true, sumu.ErrInvalid},
		"contents":                       {"InvalidMessageContents", true, sumu.ErrInvalid},
		"record":                         {"ProvisionedThroughputExceededException", false, sumu.ErrThrottled},
	} {
		err := outbox.EntryError(tt.code, "text", tt.senderFault)
		var api smithy.APIError
		if !errors.Is(err, tt.want) || !errors.As(err, &api) || api.ErrorCode() != tt.code {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
