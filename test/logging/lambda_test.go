package logging

import (
	"context"
	"net/http"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
)

func provokeLambdaAuthorizer(ctx context.Context, t *testing.T) {
	h := must[*awslambda.Authorizer](t)(awslambda.NewAuthorizer(nobody))
	event := `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:1:a/s/$connect","queryStringParameters":{"authorization":"` +
		secret + `"},"requestContext":{"connectionId":"c1","eventType":"CONNECT","routeKey":"$connect"}}`
	if _, err := h.Invoke(ctx, []byte(event)); err == nil {
		t.Fatal("let in")
	}
}

const sqsEvent = `{"Records":[{"messageId":"m1","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:1:q","body":"{\"data\":\"` + secret + `\"}"}]}`

func provokeLambdaBackend(ctx context.Context, t *testing.T) {
	h := must[*awslambda.Backend](t)(awslambda.NewBackend(awslambda.BackendOptions{
		Message: func(context.Context, sumu.BackendMessage) error { return errDown },
	}))
	_, _ = h.Invoke(ctx, []byte(sqsEvent)) // The outcome of the record is not what this is about.
}

func provokeLambdaHTTP(ctx context.Context, t *testing.T) {
	h := must[*awslambda.HTTP](t)(awslambda.NewHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errDown) })))
	event := `{"version":"2.0","rawPath":"/","headers":{"authorization":"` + secret + `"},"requestContext":{"http":{"method":"GET","path":"/"}}}`
	_, _ = h.Invoke(ctx, []byte(event))
}

// downWorker fails every delivery.
type downWorker struct{}

func (downWorker) Handle(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
	outcomes := make([]sumu.Outcome, len(batch))
	for i := range outcomes {
		outcomes[i].Err = errDown
	}
	return outcomes
}

func provokeLambdaPusher(ctx context.Context, t *testing.T) {
	h := must[*awslambda.Pusher](t)(awslambda.NewPusher(downWorker{}))
	_, _ = h.Invoke(ctx, []byte(sqsEvent))
}
