package awslambda_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
)

// named is a handler of somebody else's.
type named string

func (n named) Invoke(context.Context, []byte) ([]byte, error) {
	if n == "panic" {
		panic("boom")
	}
	return []byte(jsonText(string(n))), nil
}

const scheduled = `{"version":"0","id":"x","detail-type":"Scheduled Event","source":"aws.events","account":"1","time":"2026-11-20T00:00:00Z","region":"us-east-1","resources":[],"detail":{}}`

func TestMuxTellsEventsApart(t *testing.T) {
	m := must(awslambda.NewMux(
		awslambda.Route{Kind: awslambda.KindAuthorizer, Handler: named("authorizer")},
		awslambda.Route{Kind: awslambda.KindWebSocket, Handler: named("websocket")},
		awslambda.Route{Kind: awslambda.KindSQS, Handler: named("sqs")},
		awslambda.Route{Kind: awslambda.KindSQS, Source: "requests", Handler: named("sqs requests")},
		awslambda.Route{Kind: awslambda.KindSQS, Source: "arn:aws:sqs:us-west-2:123456789012:SQSQueue", Handler: named("sqs by arn")},
		awslambda.Route{Kind: awslambda.KindSNS, Handler: named("sns")},
		awslambda.Route{Kind: awslambda.KindKinesis, Source: "simple-stream", Handler: named("kinesis")},
		awslambda.Route{Kind: awslambda.KindDynamoDB, Source: "Example-Table", Handler: named("dynamodb")},
		awslambda.Route{Kind: awslambda.KindSchedule, Handler: named("schedule")},
		awslambda.Route{Kind: awslambda.KindHTTP, Handler: named("http")},
		awslambda.Route{Kind: awslambda.KindIoT, Handler: named("iot")},
	))
	for _, tt := range []struct {
		name  string
		event []byte
		want  string
	}{
		{"authorizer", authEvent(nil), "authorizer"},
		{"connect", golden(t, "apigw-websocket-request.json"), "websocket"},
		{"message", golden(t, "apigw-websocket-request-send-message.json"), "websocket"},
		{"disconnect", golden(t, "apigw-websocket-request-disconnect.json"), "websocket"},
		{"sqs by name", sqsEvent("1"), "sqs requests"},
		{"sqs by arn", golden(t, "sqs-event.json"), "sqs by arn"},
		{"sqs of another queue", golden(t, "sqs-event.json", "SQSQueue", "other"), "sqs"},
		{"sns", golden(t, "sns-event.json"), "sns"},
		{"kinesis", golden(t, "kinesis-event.json"), "kinesis"},
		{"dynamodb", golden(t, "dynamodb-event.json"), "dynamodb"},
		{"function URL", golden(t, "lambda-urls-request.json"), "http"},
		{"HTTP API", golden(t, "apigw-v2-request-no-authorizer.json"), "http"},
		{"lifecycle", []byte(lifecycle), "iot"},
		{"rule", []byte(scheduled), "schedule"},
		{"schedule", []byte(strings.Replace(scheduled, "aws.events", "aws.scheduler", 1)), "schedule"},
	} {
		if got := call[string](t, m, tt.event); got != tt.want {
			t.Errorf("%s went to %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Every other event that aws-lambda-go knows is refused, and nothing of it is
// repeated in the error.
func TestMuxRefusesWhatIsUnknown(t *testing.T) {
	m := must(awslambda.NewMux(
		awslambda.Route{Kind: awslambda.KindAuthorizer, Handler: named("x")},
		awslambda.Route{Kind: awslambda.KindWebSocket, Handler: named("x")},
		awslambda.Route{Kind: awslambda.KindSQS, Source: "requests", Handler: named("x")},
		awslambda.Route{Kind: awslambda.KindSchedule, Handler: named("x")},
	))
	unknown := map[string][]byte{}
	for _, name := range []string{
		"apigw-request.json", "apigw-custom-auth-request.json", "apigw-custom-auth-request-type-request.json",
		"apigw-v2-request-no-authorizer.json", "apigw-v2-custom-authorizer-v2-request.json", "alb-lambda-target-request-headers-only.json",
		"s3-event.json", "cognito-event.json", "iot-custom-auth-request.json", "lambda-urls-request.json", "kafka-event.json",
		"sns-event.json", "sqs-event.json", "cloudwatch-logs-event.json", "codebuild-state-change.json",
	} {
		unknown[name] = golden(t, name)
	}
	for _, text := range []string{
		``, `null`, `5`, `"secret"`, `[]`, `{}`, `{"secret":"secret"`, `{"Records":null}`, `{"Records":[]}`, `{"Records":["secret"]}`,
		`{"Records":[null]}`, `{"records":[{"eventSource":"aws:sqs"}]}`, `{"Records":[{"eventSource":"aws:ses"}]}`,
		`{"Records":[{"eventSource":"aws:sqs","eventSourceARN":"a"},{"eventSource":"aws:sqs","eventSourceARN":"b"}]}`,
		`{"Records":[{"eventSource":"aws:sqs"},{"eventSource":"aws:sns"}]}`,
		`{"requestContext":"secret"}`, `{"requestContext":{"connectionId":"c","eventType":"secret"}}`, `{"type":5}`,
		`{"type":"REQUEST","methodArn":"arn:secret"}`, `{"source":"aws.events","detail-type":"secret"}`,
	} {
		unknown[text] = []byte(text)
	}
	for name, event := range unknown {
		out, err := m.Invoke(t.Context(), event)
		if !errors.Is(err, sumu.ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %s, %v", name, out, err)
		}
	}
}

func TestMuxWithHandlersOfOurs(t *testing.T) {
	ran := 0
	s := must(awslambda.NewSchedule(func(context.Context) error { ran++; return nil }))
	m := must(awslambda.NewMux(
		awslambda.Route{Kind: awslambda.KindSchedule, Handler: s},
		awslambda.Route{Kind: awslambda.KindSQS, Handler: s}, // By mistake.
		awslambda.Route{Kind: awslambda.KindSNS, Handler: named("panic")},
	))
	if out, err := m.Invoke(t.Context(), []byte(scheduled)); err != nil || string(out) != "null" || ran != 1 {
		t.Errorf("got %s, %v", out, err)
	}
	if out, err := m.Invoke(t.Context(), sqsEvent("1")); !errors.Is(err, sumu.ErrInvalid) || ran != 1 {
		t.Errorf("an event of another kind: %s, %v", out, err)
	}
	if out, err := m.Invoke(t.Context(), golden(t, "sns-event.json")); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("a panic: %s, %v", out, err)
	}
}

func TestNewMuxRefuses(t *testing.T) {
	x := named("x")
	for name, routes := range map[string][]awslambda.Route{
		"needs a route":         nil,
		"has no handler":        {{Kind: awslambda.KindSQS}},
		"there is no kind":      {{Kind: "smtp", Handler: x}},
		"have no source":        {{Kind: awslambda.KindWebSocket, Source: "x", Handler: x}},
		"has a handler already": {{Kind: awslambda.KindSQS, Source: "x", Handler: x}, {Kind: awslambda.KindSQS, Source: "x", Handler: x}},
	} {
		if _, err := awslambda.NewMux(routes...); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestHandlersRefuseEventsOfOtherKinds(t *testing.T) {
	_, _, ws := behind(t)
	_, _, worker := realWorker(t)
	_, _, w := realWatcher(t)
	handlers := map[string]awslambda.Handler{
		"authorizer": must(awslambda.NewAuthorizer(awslambda.ContextAuthorizer())), "websocket": ws,
		"pusher": must(awslambda.NewPusher(worker)), "presence": must(awslambda.NewPresence(w)),
		"backend":  must(awslambda.NewBackend(awslambda.BackendOptions{Message: new(heard).message})),
		"schedule": must(awslambda.NewSchedule(func(context.Context) error { return nil })),
	}
	foreign := map[string][]byte{
		"authorizer": sqsEvent("1"), "websocket": authEvent(nil), "pusher": golden(t, "dynamodb-event.json"),
		"presence": golden(t, "sns-event.json"), "backend": golden(t, "kinesis-event.json"), "schedule": sqsEvent("1"),
	}
	for name, h := range handlers {
		for _, event := range [][]byte{foreign[name], []byte(`{`), []byte(`{"requestContext":{"connectionId":"c","eventType":"MESSAGE"},"body":5,"isBase64Encoded":"x"}`)} {
			if out, err := h.Invoke(t.Context(), event); !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("%s: got %s, %v for %.80s", name, out, err, event)
			}
		}
	}
}

// An answer names records by ids that are unique within one source only.
func TestRecordsOfTwoSourcesAreRefused(t *testing.T) {
	_, _, worker := realWorker(t)
	event := strings.Replace(string(sqsEvent("1", "2")), ":requests", ":others", 1)
	if out, err := must(awslambda.NewPusher(worker)).Invoke(t.Context(), []byte(event)); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestScheduleRunsAllTasks(t *testing.T) {
	boom, ran := errors.New("boom"), 0
	s := must(awslambda.NewSchedule(
		func(context.Context) error { ran++; return boom },
		func(context.Context) error { ran++; panic("secret") },
		func(context.Context) error { ran++; return nil },
	))
	if _, err := s.Invoke(t.Context(), []byte(scheduled)); !errors.Is(err, boom) || !errors.Is(err, sumu.ErrUnavailable) || ran != 3 || strings.Contains(err.Error(), "secret") {
		t.Errorf("%d ran: %v", ran, err)
	}
	for _, tasks := range [][]func(context.Context) error{nil, {nil}} {
		if _, err := awslambda.NewSchedule(tasks...); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	}
}
