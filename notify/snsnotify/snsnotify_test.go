package snsnotify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/snsnotify"
)

const (
	topicARN = "arn:aws:sns:eu-central-1:123456789012:pushes"
	fifoARN  = topicARN + ".fifo"
)

// topic takes what SNS would, and fails as it is told to.
type topic struct {
	requests  int
	published []types.PublishBatchRequestEntry
	fail      func(request int, entry string) *types.BatchResultErrorEntry
	err       func(request int) error
}

func (f *topic) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	f.requests++
	if f.err != nil {
		if err := f.err(f.requests); err != nil {
			return nil, err
		}
	}
	total := 0
	for _, e := range in.PublishBatchRequestEntries {
		total += len(*e.Message)
	}
	switch {
	case len(in.PublishBatchRequestEntries) > 10:
		return nil, &types.TooManyEntriesInBatchRequestException{}
	case total > snsnotify.MaxBytes:
		return nil, &types.BatchRequestTooLongException{}
	case !strings.HasPrefix(*in.TopicArn, topicARN):
		return nil, &types.NotFoundException{}
	}
	out := new(sns.PublishBatchOutput)
	for _, e := range in.PublishBatchRequestEntries {
		if f.fail != nil {
			if failed := f.fail(f.requests, *e.Message); failed != nil {
				failed.Id = e.Id
				out.Failed = append(out.Failed, *failed)
				continue
			}
		}
		f.published = append(f.published, e)
		out.Successful = append(out.Successful, types.PublishBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

func (f *topic) ids(t *testing.T) (ids []string) {
	t.Helper()
	for _, e := range f.published {
		n, err := sumu.ParseNotification([]byte(*e.Message))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID+n.Part)
	}
	return ids
}

func newClient(t *testing.T, f *topic, arn string, optFns ...func(*snsnotify.Options)) *snsnotify.Client {
	t.Helper()
	c, err := snsnotify.New(f, arn, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func toUser(id, user string) sumu.Notification {
	return sumu.Notification{ID: id, Users: []string{user}, Data: json.RawMessage(`{"a": "<b>"}`)}
}

func TestSend(t *testing.T) {
	f := new(topic)
	if err := newClient(t, f, topicARN).Send(t.Context(), toUser("n1", "ann")); err != nil {
		t.Fatal(err)
	}
	e := f.published[0]
	if want := `{"id":"n1","users":["ann"],"data":{"a": "<b>"}}`; *e.Message != want {
		t.Errorf("message: got %s, want %s", *e.Message, want)
	}
	if e.MessageGroupId != nil || e.MessageDeduplicationId != nil || e.Subject != nil {
		t.Errorf("a standard topic got %+v", e)
	}
}

// Batches keep to 10 messages, and to the bytes that the topic takes.
func TestSendBatch(t *testing.T) {
	data := json.RawMessage(`"` + strings.Repeat("x", 100<<10) + `"`)
	var ns []sumu.Notification
	for i := range 23 {
		ns = append(ns, toUser(fmt.Sprint("n", i), "ann"))
	}
	for i := range 6 {
		ns = append(ns, sumu.Notification{ID: fmt.Sprint("large", i), Everyone: true, Data: data})
	}
	for _, tt := range []struct {
		limit, requests int
	}{{0, 5}, {snsnotify.MaxBytes, 3}} {
		f := new(topic)
		c := newClient(t, f, topicARN, func(o *snsnotify.Options) { o.MaxBytes = tt.limit })
		if err := errors.Join(c.SendBatch(t.Context(), ns...)...); err != nil {
			t.Fatal(err)
		}
		if f.requests != tt.requests || len(f.published) != len(ns) {
			t.Errorf("limit %d: %d messages in %d requests, want %d", tt.limit, len(f.published), f.requests, tt.requests)
		}
	}
}

func TestSendSplits(t *testing.T) {
	var users []string
	for i := range 20_000 {
		users = append(users, fmt.Sprintf("user-%020d", i))
	}
	n := sumu.Notification{ID: "n1", Users: users, Data: json.RawMessage(`1`)}
	for _, tt := range []struct{ limit, messages int }{{0, 3}, {snsnotify.MaxBytes, 1}} {
		f := new(topic)
		c := newClient(t, f, topicARN, func(o *snsnotify.Options) { o.MaxBytes = tt.limit })
		if err := c.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range f.published {
			p, err := sumu.ParseNotification([]byte(*e.Message))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Users...)
		}
		if !slices.Equal(got, users) || len(f.published) != tt.messages {
			t.Errorf("limit %d: %d users in %d messages, want %d", tt.limit, len(got), len(f.published), tt.messages)
		}
	}
	n.Users, n.Everyone, n.ExcludeUsers = nil, true, users
	if err := newClient(t, new(topic), topicARN).Send(t.Context(), n); !errors.Is(err, sumu.ErrTooLarge) {
		t.Errorf("an exclusion of everybody: got %v", err)
	}
}

func TestSendBatchRetriesWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &topic{
			fail: func(request int, message string) *types.BatchResultErrorEntry {
				switch {
				case strings.Contains(message, `"n0"`):
					return &types.BatchResultErrorEntry{Code: aws.String("InvalidParameter"), Message: aws.String("no"), SenderFault: true}
				case strings.Contains(message, `"n1"`) && request < 3:
					return &types.BatchResultErrorEntry{Code: aws.String("InternalError")}
				}
				return nil
			},
			err: func(request int) error {
				if request == 1 {
					return &types.ThrottledException{}
				}
				return nil
			},
		}
		errs := newClient(t, f, topicARN).SendBatch(t.Context(), toUser("n0", "a"), toUser("n1", "a"), toUser("n2", "a"))
		var api smithy.APIError
		if !errors.Is(errs[0], sumu.ErrInvalid) || !errors.As(errs[0], &api) || errs[1] != nil || errs[2] != nil {
			t.Errorf("got %v", errs)
		}
		if want := []string{"n2", "n1"}; !slices.Equal(f.ids(t), want) || f.requests != 3 {
			t.Errorf("published %v in %d requests", f.ids(t), f.requests)
		}
	})
}

func TestErrors(t *testing.T) {
	for want, err := range map[error]error{
		sumu.ErrForbidden:   &types.AuthorizationErrorException{},
		sumu.ErrInvalid:     &types.NotFoundException{},
		sumu.ErrUnavailable: &types.InternalErrorException{},
		sumu.ErrThrottled:   &types.ThrottledException{},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &topic{err: func(int) error { return err }}
			got := newClient(t, f, topicARN).Send(t.Context(), toUser("n1", "ann"))
			if !errors.Is(got, want) || !errors.Is(got, err) {
				t.Errorf("got %v, want %v", got, want)
			}
			tries := 1
			if sumu.Retryable(want) {
				tries = 3
			}
			if f.requests != tries {
				t.Errorf("%v: tried %d times", err, f.requests)
			}
		})
	}
}

func TestSendFIFO(t *testing.T) {
	f := new(topic)
	c := newClient(t, f, fifoARN)
	two := toUser("n2", "ann")
	two.Users = append(two.Users, "bob")
	two.Part = "r"
	if err := errors.Join(c.SendBatch(t.Context(), toUser("n1", "ann"), two)...); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]string{{"ann", "n1/"}, {"all", "n2/r"}} {
		if got := [2]string{*f.published[i].MessageGroupId, *f.published[i].MessageDeduplicationId}; got != want {
			t.Errorf("%d: group and deduplication id %q, want %q", i, got, want)
		}
	}
	one := newClient(t, f, fifoARN, func(o *snsnotify.Options) {
		o.Group = func(*sumu.Notification) string { return "one" }
	})
	if err := one.Send(t.Context(), two); err != nil || *f.published[2].MessageGroupId != "one" {
		t.Errorf("got %v, group %q", err, *f.published[2].MessageGroupId)
	}
}

func attributes(e types.PublishBatchRequestEntry) map[string]string {
	got := make(map[string]string)
	for name, a := range e.MessageAttributes {
		got[name] = *a.DataType + " " + *a.StringValue
	}
	return got
}

func TestBackendAndPresence(t *testing.T) {
	f := new(topic)
	backend, err := snsnotify.Backend(f, fifoARN)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := snsnotify.Presence(f, fifoARN)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1575929040000)
	m := sumu.BackendMessage{ID: "id", UserID: "ann", ConnectionID: "abc=", Source: "apigw.route.publish", Timestamp: at, Body: json.RawMessage(`{"a": 1}`)}
	e := sumu.PresenceEvent{UserID: "ann", Status: sumu.Offline, At: at, Version: 8}
	if err := errors.Join(backend(t.Context(), m), pub.PublishPresence(t.Context(), e)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"user_id": "String ann", "connection_id": "String abc=", "timestamp": "Number 1575929040000", "source": "String apigw.route.publish"}
	if got := f.published[0]; *got.Message != `{"a": 1}` || !maps.Equal(attributes(got), want) || *got.MessageDeduplicationId != "id" || *got.MessageGroupId != "ann" {
		t.Errorf("backend: %s %v", *got.Message, attributes(got))
	}
	want = map[string]string{"user_id": "String ann", "timestamp": "Number 1575929040000", "source": "String lambda.presence.watchdog"}
	if got := f.published[1]; !maps.Equal(attributes(got), want) || *got.MessageDeduplicationId != "ann:8" || *got.MessageGroupId != "ann" {
		t.Errorf("presence: %s %v", *got.Message, attributes(got))
	}
	var read sumu.PresenceEvent
	if err := json.Unmarshal([]byte(*f.published[1].Message), &read); err != nil || read.ID() != e.ID() || read.Status != e.Status {
		t.Errorf("presence: %+v, %v", read, err)
	}
	f.err = func(int) error { return &types.AuthorizationErrorException{} }
	if err := backend(t.Context(), m); !errors.Is(err, sumu.ErrUnavailable) || !sumu.Retryable(err) {
		t.Errorf("a client reads of our permissions: %v", err)
	}
	if err := pub.PublishPresence(t.Context(), e); !errors.Is(err, sumu.ErrForbidden) {
		t.Errorf("presence: %v", err)
	}
}

func TestNewReportsAll(t *testing.T) {
	bad := func(o *snsnotify.Options) { o.MaxBytes, o.Tries, o.Backoff = 2<<20, -1, time.Minute }
	_, err := snsnotify.New(nil, "arn:aws:sqs:eu-central-1:123456789012:pushes", bad)
	for _, want := range []string{"client", "ARN", "MaxBytes", "Tries", "Backoff"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
	if _, err := snsnotify.Backend(new(topic), topicARN, bad); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("Backend: %v", err)
	}
	if _, err := snsnotify.Presence(new(topic), topicARN, bad); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("Presence: %v", err)
	}
}
