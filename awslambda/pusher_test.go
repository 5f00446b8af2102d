package awslambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

// requeued is where remainders go.
type requeued struct{ got []sumu.Notification }

func (r *requeued) Requeue(_ context.Context, n sumu.Notification, _ time.Duration) error {
	r.got = append(r.got, n)
	return nil
}

// realWorker is a pusher.Worker over a memstore and a recording sender.
func realWorker(t testing.TB, optFns ...func(*pusher.WorkerOptions)) (*memstore.Store, *postLog, *pusher.Worker) {
	t.Helper()
	store, posts := new(memstore.Store), new(postLog)
	p := must(pusher.New(store, posts))
	w := must(pusher.NewWorker(p, new(requeued), append([]func(*pusher.WorkerOptions){func(o *pusher.WorkerOptions) { o.Records = store }}, optFns...)...))
	return store, posts, w
}

func snsEnvelope(message string, leaveOut ...string) string {
	e := map[string]string{
		"Type": "Notification", "MessageId": "sns-" + fmt.Sprint(len(message)), "TopicArn": "arn:aws:sns:us-east-1:123456789012:t",
		"Timestamp": "2026-11-20T10:00:00.000Z", "Message": message, "SignatureVersion": "1",
	}
	for _, name := range leaveOut {
		delete(e, name)
	}
	return jsonText(e)
}

// Defect: "one bad record fails its whole batch of 10". And "the same stale
// connection in two records -> … redelivery of all".
func TestDefectOneBadRecordFailsItsBatch(t *testing.T) {
	leak.Check(t)
	log, text := logged()
	store, posts, worker := realWorker(t)
	h := must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) { o.Logger = log }))
	row(t, store, "ann", "a1")
	row(t, store, "bob", "b1")
	row(t, store, "eve", "gone1")
	users := make([]string, 0, 20_000)
	for i := range cap(users) {
		users = append(users, fmt.Sprintf("user-%08d", i))
	}
	long := `{"users":["ann","` + strings.Join(users, `","`) + `"],"data":{"n":"long"},"id":"long"}`
	if len(long) < 300_000 {
		t.Fatalf("the user list has %d bytes only", len(long))
	}
	event := sqsEvent(
		`{"users":["ann"`,   // 1: not JSON
		`{"users":["ann"]}`, // 2: no data
		``,                  // 3: empty
		snsEnvelope(`{"users":["ann"],"data":1}`, "TopicArn"), // 4: an envelope that lacks something is a body of its own
		long, // 5: 300 KB of users
		`{"id":"twice","users":["bob"],"data":{"n":"twice"}}`,    // 6
		`{"id":"twice","users":["bob"],"data":{"n":"twice"}}`,    // 7: the same once more
		`{"users":["eve"],"data":{"n":"gone"}}`,                  // 8
		`{"users":["eve","ann"],"data":{"n":"gone too"}}`,        // 9: shares a connection that is gone
		snsEnvelope(`{"users":["bob"],"data":{"n":"envelope"}}`), // :
	)
	wantFailures(t, call[failures](t, h, event), "m1", "m2", "m3", "m4")
	for id, want := range map[string][]string{
		"a1": {`{"n":"long"}`, `{"n":"gone too"}`},
		"b1": {`{"n":"twice"}`, `{"n":"envelope"}`},
	} {
		got := strings.Join(posts.of(id), " ")
		for _, w := range want {
			if strings.Count(got, w) != 1 {
				t.Errorf("%s got %s; want each of %q once", id, got, want)
			}
		}
		if len(posts.of(id)) != len(want) {
			t.Errorf("%s got %s; want %q", id, got, want)
		}
	}
	if _, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "eve", ConnectionID: "gone1"}); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("the stale row is still there: %v", err)
	}
	// What was done is not done again when it is delivered again.
	before := len(posts.of("a1")) + len(posts.of("b1"))
	wantFailures(t, call[failures](t, h, event), "m1", "m2", "m3", "m4")
	if after := len(posts.of("a1")) + len(posts.of("b1")); after != before {
		t.Errorf("%d posts more", after-before)
	}
	if got := text.String(); !strings.Contains(got, "record=m1") || strings.Contains(got, "twice\\") || strings.Contains(got, "user-00000001") {
		t.Errorf("the log is %s", got)
	}
}

func TestSQSForms(t *testing.T) {
	store, posts, worker := realWorker(t)
	h := must(awslambda.NewPusher(worker))
	row(t, store, "ann", "a1")
	raw := `{"users":["ann"],"data":"raw"}`
	var in events.SQSEvent
	if err := json.Unmarshal(sqsEvent(raw, snsEnvelope(`{"users":["ann"],"data":"wrapped"}`), snsEnvelope(`{"users":["ann"],"data":"spoofed"}`)), &in); err != nil {
		t.Fatal(err)
	}
	value := "x"
	in.Records[0].MessageAttributes = map[string]events.SQSMessageAttribute{"source": {StringValue: &value, DataType: "String"}}
	// An envelope beside attributes was not made by SNS.
	in.Records[2].MessageAttributes = in.Records[0].MessageAttributes
	out, err := h.SQS(t.Context(), in)
	if err != nil || len(out.BatchItemFailures) != 1 || out.BatchItemFailures[0].ItemIdentifier != "m3" {
		t.Errorf("got %+v, %v", out, err)
	}
	if got := posts.of("a1"); len(got) != 2 {
		t.Errorf("posts are %q", got)
	}
	if out, err := h.SQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{Body: raw}}}); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("a message without an id: %+v, %v; nothing could name it", out, err)
	}
}

// workerFunc is a Worker that answers what a test needs.
type workerFunc func(batch []sumu.Delivery) []sumu.Outcome

func (f workerFunc) Handle(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
	return f(batch)
}

func TestSQSGroupsOfAFIFOQueue(t *testing.T) {
	var groups []string
	h := must(awslambda.NewPusher(workerFunc(func(batch []sumu.Delivery) []sumu.Outcome {
		for _, d := range batch {
			groups = append(groups, d.Group)
		}
		return make([]sumu.Outcome, len(batch))
	})))
	for _, arn := range []string{"arn:aws:sqs:us-east-1:1:q.fifo", "arn:aws:sqs:us-east-1:1:q"} {
		if _, err := h.SQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{
			MessageId: "m", EventSourceARN: arn, Attributes: map[string]string{"MessageGroupId": "g"},
		}}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(groups) != 2 || groups[0] != "g" || groups[1] != "" {
		t.Errorf("groups are %q; those of a standard queue keep no order", groups)
	}
}

func TestSQSPostpones(t *testing.T) {
	busy := &sumu.Error{Op: "another worker has it", Kind: sumu.ErrConflict}
	h := must(awslambda.NewPusher(workerFunc(func(batch []sumu.Delivery) []sumu.Outcome {
		return []sumu.Outcome{{Err: busy, RetryAfter: 30 * time.Second}, {Err: busy}, {}}
	}), func(o *awslambda.PusherOptions) {
		o.Postpone = func(_ context.Context, m events.SQSMessage, d time.Duration) error {
			if m.MessageId != "m1" || d != 30*time.Second {
				t.Errorf("%s is postponed by %v", m.MessageId, d)
			}
			panic("no queue")
		}
	}))
	wantFailures(t, call[failures](t, h, sqsEvent("1", "2", "3")), "m1", "m2")
}

func TestWorkerThatBreaksFailsItsRecords(t *testing.T) {
	for name, worker := range map[string]workerFunc{
		"panics":           func([]sumu.Delivery) []sumu.Outcome { panic("boom") },
		"too few outcomes": func([]sumu.Delivery) []sumu.Outcome { return make([]sumu.Outcome, 1) },
	} {
		h := must(awslambda.NewPusher(worker))
		t.Run(name, func(t *testing.T) { wantFailures(t, call[failures](t, h, sqsEvent("1", "2")), "m1", "m2") })
	}
}

func TestSNS(t *testing.T) {
	store, posts, worker := realWorker(t)
	row(t, store, "ann", "a1")
	var sunk []string
	broken := errors.New("no sink")
	sink := func(_ context.Context, d sumu.Delivery, reason error) error {
		if !errors.Is(reason, sumu.ErrInvalid) {
			t.Errorf("reason is %v", reason)
		}
		sunk = append(sunk, string(d.Body))
		if string(d.Body) == "full" {
			return broken
		}
		return nil
	}
	with := must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) { o.Reject = sink }))
	without := must(awslambda.NewPusher(worker))
	event := func(message string) []byte {
		return golden(t, "sns-event.json", `"Hello from SNS!"`, jsonText(message))
	}
	if _, err := with.Invoke(t.Context(), event(`{"users":["ann"],"data":{"n":1}}`)); err != nil || len(posts.of("a1")) != 1 {
		t.Errorf("a request: %v, posts %q", err, posts.of("a1"))
	}
	if _, err := with.Invoke(t.Context(), event(`nonsense`)); err != nil || len(sunk) != 1 || sunk[0] != "nonsense" {
		t.Errorf("what is not valid: %v, sunk %q", err, sunk)
	}
	if _, err := with.Invoke(t.Context(), event(`full`)); !errors.Is(err, broken) {
		t.Errorf("a sink that fails: %v; the record would be lost", err)
	}
	if _, err := without.Invoke(t.Context(), event(`nonsense`)); !errors.Is(err, sumu.ErrInvalid) || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("without a sink: %v", err)
	}
	var in events.SNSEvent
	if err := json.Unmarshal(event(`{"users":["ann"],"data":{"n":2},"id":"two"}`), &in); err != nil {
		t.Fatal(err)
	}
	if err := with.SNS(t.Context(), in); err != nil || len(posts.of("a1")) != 2 {
		t.Errorf("the typed method: %v, posts %q", err, posts.of("a1"))
	}
	failing := must(awslambda.NewPusher(workerFunc(func(b []sumu.Delivery) []sumu.Outcome {
		return []sumu.Outcome{{Err: &sumu.Error{Op: "store", Kind: sumu.ErrThrottled}}}
	}), func(o *awslambda.PusherOptions) { o.Reject = sink }))
	if _, err := failing.Invoke(t.Context(), event(`{}`)); !errors.Is(err, sumu.ErrThrottled) || len(sunk) != 2 {
		t.Errorf("a record that may succeed later: %v, sunk %q", err, sunk)
	}
}

func TestNewPusherNeedsAWorker(t *testing.T) {
	if _, err := awslambda.NewPusher(nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
