package sqsnotify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

func newClient(t *testing.T, q *queue, url string, optFns ...func(*sqsnotify.Options)) *sqsnotify.Client {
	t.Helper()
	c, err := sqsnotify.New(q, url, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func toUser(id, user string) sumu.Notification {
	return sumu.Notification{ID: id, Users: []string{user}, Data: json.RawMessage(`{"a": "<b>"}`)}
}

func TestSend(t *testing.T) {
	q := new(queue)
	if err := newClient(t, q, queueURL).Send(t.Context(), toUser("n1", "ann")); err != nil {
		t.Fatal(err)
	}
	e := q.sent[0]
	if want := `{"id":"n1","users":["ann"],"data":{"a": "<b>"}}`; *e.MessageBody != want {
		t.Errorf("body: got %s, want %s", *e.MessageBody, want)
	}
	if e.DelaySeconds != 0 || e.MessageGroupId != nil || e.MessageDeduplicationId != nil {
		t.Errorf("a standard queue got %+v", e)
	}
}

func TestSendBatch(t *testing.T) {
	q := new(queue)
	var ns []sumu.Notification
	for i := range 23 {
		ns = append(ns, toUser(fmt.Sprint("n", i), "ann"))
	}
	ns[7].Users = nil // Invalid: it must not take others along.
	errs := newClient(t, q, queueURL).SendBatch(t.Context(), ns...)
	for i, err := range errs {
		if (i == 7) != errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("outcome %d: %v", i, err)
		}
	}
	if len(errs) != 23 || len(q.sent) != 22 || q.requests["send"] != 3 {
		t.Errorf("%d outcomes, %d sent in %d requests", len(errs), len(q.sent), q.requests["send"])
	}
	for i, e := range q.sent {
		if want := slices.DeleteFunc(slices.Clone(ns), func(n sumu.Notification) bool { return n.Users == nil })[i].ID; !strings.Contains(*e.MessageBody, `"`+want+`"`) {
			t.Errorf("message %d is %s, want %s", i, *e.MessageBody, want)
		}
	}
	if got := newClient(t, q, queueURL).SendBatch(t.Context()); len(got) != 0 {
		t.Errorf("none: got %v", got)
	}
}

// Ten messages of 128 KB are more than one request may have.
func TestSendBatchByBytes(t *testing.T) {
	q := new(queue)
	var ns []sumu.Notification
	for i := range 10 {
		ns = append(ns, sumu.Notification{ID: fmt.Sprint("n", i), Everyone: true, Data: json.RawMessage(`"` + strings.Repeat("x", sumu.MaxPayload-2) + `"`)})
	}
	if err := errors.Join(newClient(t, q, queueURL).SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	if q.requests["send"] != 2 || len(q.sent) != 10 {
		t.Errorf("%d sent in %d requests", len(q.sent), q.requests["send"])
	}
}

func TestSendBatchRetriesWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{}
		q.fault = func(string, int) fault {
			switch q.requests["send"] {
			case 1:
				return fault{entries: map[int]types.BatchResultErrorEntry{
					0: {Code: aws.String("InvalidMessageContents"), Message: aws.String("no"), SenderFault: true},
					1: {Code: aws.String("InternalError"), SenderFault: false},
					2: {Code: aws.String("RequestThrottled"), SenderFault: true},
				}}
			case 2:
				return fault{entries: map[int]types.BatchResultErrorEntry{1: {Code: aws.String("InternalError")}}}
			}
			return fault{entries: map[int]types.BatchResultErrorEntry{0: {Code: aws.String("InternalError")}}}
		}
		errs := newClient(t, q, queueURL).SendBatch(t.Context(), toUser("n0", "a"), toUser("n1", "a"), toUser("n2", "a"), toUser("n3", "a"))
		var api smithy.APIError
		if !errors.Is(errs[0], sumu.ErrInvalid) || !errors.As(errs[0], &api) || api.ErrorCode() != "InvalidMessageContents" {
			t.Errorf("0: %v", errs[0])
		}
		if !errors.Is(errs[2], sumu.ErrUnavailable) || !sumu.Retryable(errs[2]) {
			t.Errorf("2: %v", errs[2])
		}
		if errs[1] != nil || errs[3] != nil || q.requests["send"] != 3 {
			t.Errorf("1: %v, 3: %v, after %d requests", errs[1], errs[3], q.requests["send"])
		}
		var ids []string
		for _, e := range q.sent {
			n, err := sumu.ParseNotification([]byte(*e.MessageBody))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, n.ID)
		}
		if want := []string{"n3", "n1"}; !slices.Equal(ids, want) {
			t.Errorf("sent: got %v, want %v", ids, want)
		}
	})
}

// A list of users that no message can hold reaches every one of them.
func TestSendSplits(t *testing.T) {
	q := new(queue)
	var users []string
	for i := range 60_000 {
		users = append(users, fmt.Sprintf("user-%08d-%s", i, strings.Repeat("x", 30)))
	}
	n := sumu.Notification{ID: "n1", Users: users, ExcludeUsers: []string{"eve"}, Data: json.RawMessage(`{"a":1}`)}
	if err := newClient(t, q, queueURL).Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	var got []string
	keys := make(map[string]bool)
	for _, e := range q.sent {
		if len(*e.MessageBody) > sqsnotify.MaxBytes {
			t.Errorf("a message has %d bytes", len(*e.MessageBody))
		}
		p, err := sumu.ParseNotification([]byte(*e.MessageBody))
		if err != nil {
			t.Fatal(err)
		}
		keys[p.Key()] = true
		got = append(got, p.Users...)
		if string(p.Data) != `{"a":1}` || !slices.Equal(p.ExcludeUsers, n.ExcludeUsers) {
			t.Errorf("a piece has data %s and excludes %v", p.Data, p.ExcludeUsers)
		}
	}
	if !slices.Equal(got, users) || len(keys) != len(q.sent) || len(q.sent) != 3 {
		t.Errorf("%d users in %d messages with %d keys", len(got), len(q.sent), len(keys))
	}
	large := sumu.Notification{ID: "n2", Everyone: true, ExcludeUsers: users, Data: json.RawMessage(`1`)}
	if err := newClient(t, q, queueURL).Send(t.Context(), large); !errors.Is(err, sumu.ErrTooLarge) {
		t.Errorf("an exclusion of everybody: got %v", err)
	}
}

// One piece that fails fails its notification, and no other.
func TestSendSplitFails(t *testing.T) {
	q := &queue{}
	q.fault = func(string, int) fault {
		return fault{entries: map[int]types.BatchResultErrorEntry{1: {Code: aws.String("AccessDenied"), SenderFault: true}}}
	}
	many := toUser("n1", strings.Repeat("a", 500))
	many.Users = append(many.Users, strings.Repeat("b", 500))
	c := newClient(t, q, queueURL, func(o *sqsnotify.Options) { o.MaxBytes = 1024 })
	errs := c.SendBatch(t.Context(), many, toUser("n2", "ann"))
	if !errors.Is(errs[0], sumu.ErrForbidden) || errs[1] != nil {
		t.Errorf("got %v", errs)
	}
}

func TestNewReportsAll(t *testing.T) {
	_, err := sqsnotify.New(nil, "pushes", func(o *sqsnotify.Options) {
		o.MaxBytes, o.Tries, o.Backoff = 5, 11, -1
	})
	for _, want := range []string{"client", "URL", "MaxBytes", "Tries", "Backoff"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
	bad := func(o *sqsnotify.Options) { o.Tries = -1 }
	if _, err := sqsnotify.Backend(new(queue), queueURL, bad); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("Backend: %v", err)
	}
	if _, err := sqsnotify.Presence(new(queue), queueURL, bad); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("Presence: %v", err)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	q := new(queue)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newClient(t, q, queueURL).Send(ctx, toUser("n1", "ann")); !errors.Is(err, context.Canceled) || q.requests["send"] > 0 {
		t.Errorf("got %v after %d requests", err, q.requests["send"])
	}
}

// silent never answers.
type silent struct{}

func (silent) SendMessageBatch(ctx context.Context, _ *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestSendTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sqsnotify.New(silent{}, queueURL)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		errs := c.SendBatch(ctx, make([]sumu.Notification, 11)...)
		if took := time.Since(start); took > 0 {
			t.Errorf("what is invalid took %v", took)
		}
		for _, err := range errs {
			if !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		}
		var ns []sumu.Notification
		for i := range 11 { // The second batch is not begun.
			ns = append(ns, toUser(fmt.Sprint("n", i), "ann"))
		}
		for i, err := range c.SendBatch(ctx, ns...) {
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sumu.ErrUnavailable) {
				t.Errorf("outcome %d: %v", i, err)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
