package awslambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

// published is where presence events go. Those of the users in down do not.
type published struct {
	events []string
	down   map[string]bool
}

func (p *published) PublishPresence(_ context.Context, e sumu.PresenceEvent) error {
	if p.down[e.UserID] {
		return &sumu.Error{Op: "publish", Kind: sumu.ErrThrottled}
	}
	p.events = append(p.events, e.ID()+" "+string(e.Status))
	return nil
}

func realWatcher(t testing.TB, optFns ...func(*presence.Options)) (*memstore.Store, *published, *presence.Watcher) {
	t.Helper()
	store, pub := new(memstore.Store), new(published)
	one := func(o *presence.Options) { o.Concurrency = 1 } // So that published needs no lock.
	return store, pub, must(presence.New(store, pub, append([]func(*presence.Options){one}, optFns...)...))
}

// streamEvent is an event with the sequence numbers "1", "2", … and the keys
// of connections, "user/connection".
func streamEvent(conns ...string) []byte {
	var recs []map[string]any
	for i, c := range conns {
		user, conn, _ := strings.Cut(c, "/")
		recs = append(recs, map[string]any{
			"eventID": "e" + string(rune('1'+i)), "eventName": "INSERT", "eventSource": "aws:dynamodb",
			"eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/connections/stream/2026-11-20T00:00:00.000",
			"dynamodb": map[string]any{
				"Keys":           map[string]any{"user_id": map[string]string{"S": user}, "connection_id": map[string]string{"S": conn}},
				"SequenceNumber": string(rune('1' + i)), "StreamViewType": "KEYS_ONLY",
			},
		})
	}
	return []byte(jsonText(map[string]any{"Records": recs}))
}

func TestStreamDrivesPresence(t *testing.T) {
	store, pub, w := realWatcher(t)
	h := must(awslambda.NewPresence(w))
	row(t, store, "ann", "a1")
	row(t, store, "ann", "a2")
	connected := streamEvent("ann/a1", "ann/a2", "bob/b1")
	for range 2 { // A replay changes nothing.
		wantFailures(t, call[failures](t, h, connected))
	}
	for _, id := range []string{"a1", "a2"} {
		if err := store.Delete(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: id}); err != nil {
			t.Fatal(err)
		}
	}
	// Removed by TTL, with images.
	removed := strings.NewReplacer(
		`"INSERT"`, `"REMOVE","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}`,
		`"KEYS_ONLY"`, `"NEW_AND_OLD_IMAGES","OldImage":{"user_id":{"S":"ann"},"delete_at":{"N":"1"}}`,
	).Replace(string(streamEvent("ann/a2")))
	wantFailures(t, call[failures](t, h, []byte(removed)))
	if want := []string{"ann:1 ONLINE", "ann:2 OFFLINE"}; !slices.Equal(pub.events, want) {
		t.Errorf("events are %q, want %q", pub.events, want)
	}
}

func TestOneUsersFailureIsItsOwn(t *testing.T) {
	store, pub, w := realWatcher(t)
	for _, user := range []string{"ann", "bob", "eve"} {
		row(t, store, user, user+"1")
	}
	pub.down = map[string]bool{"bob": true}
	batch := streamEvent("ann/ann1", "bob/bob1", "eve/eve1", "bob/bob1")
	wantFailures(t, call[failures](t, must(awslambda.NewPresence(w)), batch), "2")
	if want := []string{"ann:1 ONLINE", "eve:1 ONLINE"}; !slices.Equal(pub.events, want) {
		t.Fatalf("events are %q, want %q", pub.events, want)
	}

	// With a queue of checks the shard goes on, and bob's event is not lost.
	var queue []string
	h := must(awslambda.NewPresence(w, func(o *awslambda.PresenceOptions) {
		o.Later = func(_ context.Context, user string, after time.Duration) error {
			if after != 10*time.Second {
				t.Errorf("check after %v", after)
			}
			queue = append(queue, awslambda.CheckMessage(user))
			return nil
		}
	}))
	wantFailures(t, call[failures](t, h, batch))
	if len(queue) != 1 {
		t.Fatalf("queue is %q", queue)
	}
	wantFailures(t, call[failures](t, h, sqsEvent(queue...)), "m1")
	pub.down = nil
	wantFailures(t, call[failures](t, h, sqsEvent(queue...)))
	if got := pub.events[len(pub.events)-1]; got != "bob:1 ONLINE" {
		t.Errorf("last event is %s", got)
	}

	// A queue that is down is no place to leave a user.
	full := must(awslambda.NewPresence(w, func(o *awslambda.PresenceOptions) {
		o.Later = func(context.Context, string, time.Duration) error { panic("no queue") }
	}))
	pub.down = map[string]bool{"zoe": true}
	row(t, store, "zoe", "z1")
	wantFailures(t, call[failures](t, full, streamEvent("ann/ann1", "zoe/z1")), "2")
}

func TestGraceThroughTheQueueOfChecks(t *testing.T) {
	now := time.Now()
	var queue []string
	var h *awslambda.Presence
	store, pub, w := realWatcher(t, func(o *presence.Options) {
		o.Grace = 5 * time.Second
		o.Now = func() time.Time { return now }
		o.Delay = func(_ context.Context, user string, _ time.Duration) error {
			queue = append(queue, awslambda.CheckMessage(user))
			return nil
		}
	})
	h = must(awslambda.NewPresence(w))
	row(t, store, "ann", "a1")
	wantFailures(t, call[failures](t, h, streamEvent("ann/a1")))
	if err := store.Delete(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: "a1"}); err != nil {
		t.Fatal(err)
	}
	wantFailures(t, call[failures](t, h, streamEvent("ann/a1")))
	if len(pub.events) != 1 || len(queue) != 1 {
		t.Fatalf("within the grace: events %q, queue %q", pub.events, queue)
	}
	now = now.Add(6 * time.Second)
	wantFailures(t, call[failures](t, h, sqsEvent(queue[0])))
	if want := "ann:2 OFFLINE"; pub.events[len(pub.events)-1] != want {
		t.Errorf("events are %q", pub.events)
	}
}

func TestStreamRecordsThatNameNoUser(t *testing.T) {
	log, text := logged()
	store, pub, w := realWatcher(t)
	row(t, store, "ann", "a1")
	h := must(awslambda.NewPresence(w, func(o *awslambda.PresenceOptions) { o.Logger = log }))
	// Of another table; with a number as its key; and with an image that the
	// types of aws-lambda-go cannot read.
	other := strings.ReplaceAll(string(streamEvent("ann/a1", "bob/b1", "ann/a1")), `{"S":"bob"}`, `{"N":"5"}`)
	other = strings.Replace(other, `"StreamViewType"`, `"NewImage":{"x":{"B":"?"}},"StreamViewType"`, 1)
	wantFailures(t, call[failures](t, h, []byte(other)))
	if len(pub.events) != 1 || !strings.Contains(text.String(), "record=2") {
		t.Errorf("events %q, log %s", pub.events, text)
	}
	wantFailures(t, call[failures](t, h, golden(t, "dynamodb-event.json")))
	if out, err := h.Invoke(t.Context(), []byte(strings.ReplaceAll(other, "SequenceNumber", "Sequence"))); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("without a sequence number: %s, %v; nothing could name it", out, err)
	}
	var in events.DynamoDBEvent
	if err := json.Unmarshal(streamEvent("eve/e1"), &in); err != nil {
		t.Fatal(err)
	}
	row(t, store, "eve", "e1")
	if out, err := h.DynamoDB(t.Context(), in); err != nil || len(out.BatchItemFailures) != 0 || len(pub.events) != 2 {
		t.Errorf("the typed method: %+v, %v, events %q", out, err, pub.events)
	}
	in.Records[0].Change.SequenceNumber = ""
	if out, err := h.DynamoDB(t.Context(), in); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("the typed method without a sequence number: %+v, %v", out, err)
	}
}

// brokenWatcher breaks the contract of its interface.
type brokenWatcher struct{ outcomes []error }

func (b brokenWatcher) Observe(context.Context, ...sumu.Change) ([]error, error) {
	if b.outcomes == nil {
		panic("boom")
	}
	return b.outcomes, nil
}

func (b brokenWatcher) Check(ctx context.Context, _ ...string) ([]error, error) {
	return b.Observe(ctx)
}

func TestWatcherThatBreaksFailsItsRecords(t *testing.T) {
	for _, w := range []brokenWatcher{{}, {outcomes: make([]error, 1)}} {
		h := must(awslambda.NewPresence(w))
		wantFailures(t, call[failures](t, h, streamEvent("ann/a1", "bob/b1")), "1")
		wantFailures(t, call[failures](t, h, sqsEvent(awslambda.CheckMessage("ann"), awslambda.CheckMessage("bob"))), "m1", "m2")
	}
}

func TestChecksThatAreNone(t *testing.T) {
	store, pub, w := realWatcher(t)
	row(t, store, "a<b>\u2028", "a1")
	h := must(awslambda.NewPresence(w))
	event := sqsEvent(`{`, `{"type":"presence","user_id":"ann"}`, `{"type":"presence.check"}`, awslambda.CheckMessage("a<b>\u2028"))
	wantFailures(t, call[failures](t, h, event), "m1", "m2", "m3")
	if len(pub.events) != 1 || !strings.HasPrefix(pub.events[0], "a<b>\u2028:1") {
		t.Errorf("events are %q", pub.events)
	}
	var in events.SQSEvent
	if err := json.Unmarshal(event, &in); err != nil {
		t.Fatal(err)
	}
	if out, err := h.SQS(t.Context(), in); err != nil || len(out.BatchItemFailures) != 3 {
		t.Errorf("the typed method: %+v, %v", out, err)
	}
	in.Records[0].MessageId = ""
	if out, err := h.SQS(t.Context(), in); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("without an id: %+v, %v", out, err)
	}
}

func TestNewPresenceRefuses(t *testing.T) {
	_, err := awslambda.NewPresence(nil, func(o *awslambda.PresenceOptions) { o.RetryAfter = -1 })
	if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Watcher") || !strings.Contains(err.Error(), "RetryAfter") {
		t.Errorf("got %v", err)
	}
}
