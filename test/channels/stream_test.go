package channels

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

// stream is the function behind a Kinesis stream, its reject sink, and where
// what remains goes.
type stream struct {
	handler  *awslambda.Pusher
	rejected []string
	mu       sync.Mutex
	requeued []sumu.Notification
}

func newStream(w *world, records sumu.StateStore) *stream {
	s := new(stream)
	worker := must(pusher.NewWorker(w.push, s, func(o *pusher.WorkerOptions) { o.Records = records }))
	s.handler = must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) {
		o.Decode = events.Records
		o.Reject = func(_ context.Context, d sumu.Delivery, _ error) error {
			s.rejected = append(s.rejected, string(d.Body))
			return nil
		}
	}))
	return s
}

func (s *stream) Requeue(_ context.Context, n sumu.Notification, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requeued = append(s.requeued, n)
	return nil
}

// batch delivers records as Lambda does, and returns which one failed; "": none.
func (s *stream) batch(t *testing.T, records ...string) string {
	t.Helper()
	var list []map[string]any
	for i, data := range records {
		seq := fmt.Sprintf("s%d-%d", len(records), i)
		list = append(list, map[string]any{
			"eventSource": "aws:kinesis", "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/events",
			"eventID": "shardId-000000000000:" + seq,
			"kinesis": map[string]any{
				"data": base64.StdEncoding.EncodeToString([]byte(data)), "sequenceNumber": seq,
				"partitionKey": fmt.Sprint(i % 3), "approximateArrivalTimestamp": 1480641523.477,
			},
		})
	}
	out, err := s.handler.Invoke(t.Context(), jsonText(map[string]any{"Records": list}))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Failures) == 0 {
		return ""
	}
	return answer.Failures[0].ID
}

func record(eventType, message string) string {
	return `{"MessageType":` + quoted(eventType) + `,"Message":` + message + `}`
}

func TestStream(t *testing.T) {
	for _, by := range []string{"gateway", "awslambda"} {
		t.Run(by, func(t *testing.T) {
			leak.Check(t)
			store := new(memstore.Store)
			w := newWorld(t, store, by)
			s := newStream(w, store)
			ann, bob := w.connect(t, "ann"), w.connect(t, "bob")
			const ack = `{"type":"ack","action":"subscribe","id":"?"}`
			ann.say(`{"action":"subscribe","subscriptions":[{"event_type":"NESClick"}]}`, ack)
			bob.say(`{"action":"subscribe","subscriptions":[{"event_type":"NESClick","filter_field":"color","filter_expr":"b*"}]}`, ack)

			records := []string{
				"not JSON", record("NESClick", `{"n":0,"color":"blue"}`), `{"data":"to everybody"}`, `{"users":["ann"],"data":1}`,
				record("Nobody", `{"n":0}`), "\xf3\x89\x9a\xc2 damaged",
			}
			for i := 1; i < 20; i++ {
				records = append(records, record("NESClick", fmt.Sprintf(`{"n":%d,"color":"%s"}`, i, []string{"blue", "red"}[i%2])))
			}
			// A replay, as after a failure elsewhere, changes nothing.
			for range 2 {
				if failed := s.batch(t, records...); failed != "" {
					t.Errorf("record %s failed", failed)
				}
			}
			// In order, whatever their partition keys.
			for i := range 20 {
				text := fmt.Sprintf(`{"n":%d,"color":"%s"}`, i, []string{"blue", "red"}[i%2])
				ann.want(`{"message_type":"NESClick","payload":` + quoted(text) + `}`)
				if i%2 == 0 {
					bob.want(`{"message_type":"NESClick","payload":` + quoted(text) + `}`)
				}
			}
			ann.nothing()
			bob.nothing()
			if len(s.rejected) != 8 || s.rejected[0] != "not JSON" || s.rejected[1] != `{"data":"to everybody"}` {
				t.Errorf("rejected were %q", s.rejected)
			}
			if len(s.requeued) != 0 {
				t.Errorf("requeued were %v", s.requeued)
			}
		})
	}
}

// slow is a transport to which one user's connections read too slowly.
type slow struct {
	transport
	user string
}

func (s slow) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if c.UserID == s.user {
		return &sumu.Error{Op: "post " + c.ID, Kind: sumu.ErrThrottled}
	}
	return s.transport.Post(ctx, c, p)
}

// A subscriber that is slow, or gone, holds up nobody.
func TestStreamWithSlowAndGoneSubscribers(t *testing.T) {
	leak.Check(t)
	store := new(memstore.Store)
	w := newWorld(t, store, "awslambda")
	w.push = must(pusher.New(store, slow{w.via, "bob"}, func(o *pusher.Options) { o.Tries = 1 }))
	s := newStream(w, store)
	ann, bob, cem := w.connect(t, "ann"), w.connect(t, "bob"), w.connect(t, "cem")
	for _, c := range []*client{ann, bob, cem} {
		c.say(`{"action":"subscribe","subscriptions":[{"event_type":"NESClick"}]}`, `{"type":"ack","action":"subscribe","id":"?"}`)
	}
	// A connection that ended unnoticed.
	gone := w.via.(*apiGateway)
	gone.mu.Lock()
	delete(gone.open, cem.id)
	gone.mu.Unlock()

	if failed := s.batch(t, record("NESClick", `{"n":0}`), record("NESClick", `{"n":1}`)); failed != "" {
		t.Errorf("record %s failed", failed)
	}
	ann.want(`{"message_type":"NESClick","payload":"{\"n\":0}"}`)
	ann.want(`{"message_type":"NESClick","payload":"{\"n\":1}"}`)
	ann.nothing()
	if len(s.requeued) != 2 {
		t.Errorf("requeued were %v; want one for bob of each event", s.requeued)
	}
	for _, n := range s.requeued {
		if n.Event == nil && len(n.Connections) == 0 {
			t.Errorf("requeued was %+v", n)
		}
	}
	// What remains is delivered when bob reads again, to him alone.
	slices.SortFunc(s.requeued, func(a, b sumu.Notification) int { return bytes.Compare(a.Data, b.Data) }) // The queue has no order.
	w.push = must(pusher.New(store, w.via))
	for _, n := range s.requeued {
		if err := w.Send(t.Context(), n); err != nil {
			t.Error(err)
		}
	}
	bob.want(`{"message_type":"NESClick","payload":"{\"n\":0}"}`)
	bob.want(`{"message_type":"NESClick","payload":"{\"n\":1}"}`)
	ann.nothing()
}
