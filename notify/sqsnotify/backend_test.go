package sqsnotify_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

func TestBackend(t *testing.T) {
	q := new(queue)
	backend, err := sqsnotify.Backend(q, queueURL)
	if err != nil {
		t.Fatal(err)
	}
	m := sumu.BackendMessage{
		ID: "id", UserID: "ann", ConnectionID: "abc=", Source: "apigw.route.send",
		Timestamp: time.UnixMilli(1575929040123), Body: json.RawMessage(`{"order": "` + "\uFFFE" + `"}`),
	}
	if err := backend(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got, want := *q.sent[0].MessageBody, `{"order": "\ufffe"}`; got != want {
		t.Errorf("body: got %s, want %s", got, want)
	}
	got := make(map[string]string)
	for name, a := range q.sent[0].MessageAttributes {
		got[name] = *a.DataType + " " + *a.StringValue
	}
	want := map[string]string{
		"user_id": "String ann", "connection_id": "String abc=",
		"timestamp": "Number 1575929040123", "source": "String apigw.route.send",
	}
	if !maps.Equal(got, want) {
		t.Errorf("attributes: got %v, want %v", got, want)
	}
	fifo, err := sqsnotify.Backend(q, fifoURL)
	if err != nil {
		t.Fatal(err)
	}
	if err := fifo(t.Context(), m); err != nil || *q.sent[1].MessageGroupId != "ann" || *q.sent[1].MessageDeduplicationId != "id" {
		t.Errorf("FIFO: %v, %+v", err, q.sent[1])
	}
}

// What a client reads of a failure: a fault of ours is none of its own.
func TestBackendErrors(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDenied", Fault: smithy.FaultClient}
	sound := sumu.BackendMessage{UserID: "ann", Body: json.RawMessage(`1`)}
	for name, tt := range map[string]struct {
		m    sumu.BackendMessage
		err  error
		want error
	}{
		"not allowed":  {sound, denied, sumu.ErrUnavailable},
		"no queue":     {sound, &types.QueueDoesNotExist{}, sumu.ErrUnavailable},
		"unavailable":  {sound, errors.New("connection reset"), sumu.ErrUnavailable},
		"throttled":    {sound, &types.RequestThrottled{}, sumu.ErrThrottled},
		"too large":    {sumu.BackendMessage{UserID: "ann", Body: make([]byte, sqsnotify.MaxBytes)}, nil, sumu.ErrTooLarge},
		"empty":        {sumu.BackendMessage{UserID: "ann"}, nil, sumu.ErrInvalid},
		"no such user": {sumu.BackendMessage{UserID: "a\x01", Body: json.RawMessage(`1`)}, nil, sumu.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &queue{fault: func(string, int) fault { return fault{err: tt.err} }}
				backend, err := sqsnotify.Backend(q, queueURL)
				if err != nil {
					t.Fatal(err)
				}
				err = backend(t.Context(), tt.m)
				var own *sumu.Error
				if !errors.As(err, &own) || !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if tt.err != nil && (!errors.Is(err, tt.err) || !sumu.Retryable(err)) {
					t.Errorf("got %v: no cause, or final", err)
				}
			})
		})
	}
}

func TestPresence(t *testing.T) {
	q := new(queue)
	pub, err := sqsnotify.Presence(q, queueURL)
	if err != nil {
		t.Fatal(err)
	}
	e := sumu.PresenceEvent{UserID: "ann", Status: sumu.Online, At: time.UnixMilli(1575929040000), Version: 7}
	if err := pub.PublishPresence(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if want := `{"type":"presence","message":{"user_id":"ann","status":"ONLINE","timestamp":1575929040.000,"version":7,"id":"ann:7"}}`; *q.sent[0].MessageBody != want {
		t.Errorf("body: got %s", *q.sent[0].MessageBody)
	}
	a := q.sent[0].MessageAttributes
	if len(a) != 3 || *a["source"].StringValue != "lambda.presence.watchdog" || *a["user_id"].StringValue != "ann" ||
		*a["timestamp"].StringValue != "1575929040000" || *a["timestamp"].DataType != "Number" {
		t.Errorf("attributes: %v", a)
	}
}

// What the client is told: whether it may try again, and nothing of queues.
func TestBackendFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		message string
		err     error
		want    string
	}{
		"accepted":     {`1`, nil, `"type":"ack"`},
		"not allowed":  {`1`, &smithy.GenericAPIError{Code: "AccessDenied"}, `"code":"unavailable","message":"try again later"`},
		"throttled":    {`1`, &types.RequestThrottled{}, `"code":"rate_limited","message":"too many messages; try again later"`},
		"too large":    {`"` + strings.Repeat("x", 2000) + `"`, nil, `"code":"too_large","message":"the message is too large"`},
		"no message":   {`null`, nil, `"type":"ack"`},
		"queue's rule": {`1`, &smithy.GenericAPIError{Code: "InvalidParameterValue", Message: "Message must be shorter than 1024 bytes."}, `"code":"too_large"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &queue{fault: func(string, int) fault { return fault{err: tt.err} }}
				backend, err := sqsnotify.Backend(q, queueURL, func(o *sqsnotify.Options) { o.MaxBytes = 1024 })
				if err != nil {
					t.Fatal(err)
				}
				everybody := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
					return sumu.Identity{UserID: "ann"}, nil
				})
				app, err := sumu.NewApp(everybody, new(memstore.Store))
				if err != nil {
					t.Fatal(err)
				}
				app.Handle("send", sumu.ToBackend("apigw.route.send", backend))
				reply := app.Message(t.Context(), sumu.Message{
					Connection: sumu.Connection{UserID: "ann", ID: "c1"},
					Body:       []byte(`{"action":"send","message":` + tt.message + `}`),
				})
				if !strings.Contains(string(reply), tt.want) {
					t.Errorf("got %s, want %s", reply, tt.want)
				}
			})
		})
	}
}
