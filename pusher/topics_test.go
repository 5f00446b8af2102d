package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// broker is a sender that has channels of its own, and takes batches too.
type broker struct {
	mu    sync.Mutex
	got   []string // "channel payload", and "user"
	fail  map[string]error
	after func() // a post
}

func (b *broker) note(name, text string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fail[name]; err != nil {
		return err
	}
	b.got = append(b.got, text)
	if b.after != nil {
		b.after()
	}
	return nil
}

func (b *broker) Post(_ context.Context, c sumu.Connection, _ *sumu.Payload) error {
	return b.note(c.UserID, c.UserID)
}

func (b *broker) PostChannel(_ context.Context, channel string, p *sumu.Payload) error {
	return b.note(channel, channel+" "+string(p.Bytes()))
}

func (b *broker) MaxBatch(sumu.Connection) int { return 100 }

func (b *broker) PostBatch(ctx context.Context, conns []sumu.Connection, p *sumu.Payload) []error {
	errs := make([]error, len(conns))
	for i := range conns {
		errs[i] = b.Post(ctx, conns[i], p)
	}
	return errs
}

func (b *broker) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	slices.Sort(got)
	return got
}

func brokerPusher(t *testing.T, b *broker, optFns ...func(*pusher.Options)) *pusher.Pusher {
	t.Helper()
	store := new(memstore.Store)
	fill(t, store, 3, 1)
	return newPusher(t, store, b, append([]func(*pusher.Options){func(o *pusher.Options) { o.Tries, o.Backoff = 1, time.Millisecond }}, optFns...)...)
}

func frame(channel string) string {
	return fmt.Sprintf(`%s {"type":"message","channel":%q,"id":"n","data":1}`, channel, channel)
}

// What a broker refuses for now is left to the remainder, as it was made, and
// nothing else is.
func TestTopicRemainder(t *testing.T) {
	b := &broker{fail: map[string]error{"slow": &sumu.Error{Kind: sumu.ErrThrottled}, "bad": &sumu.Error{Kind: sumu.ErrInvalid}, "gone": &sumu.Error{Kind: sumu.ErrGone}}}
	p := brokerPusher(t, b, func(o *pusher.Options) {
		o.Observer.Pruned = func(_ context.Context, ref sumu.ConnectionRef, err error) { t.Errorf("pruned %v, %v", ref, err) }
	})
	results, err := p.Push(t.Context(), sumu.Notification{
		ID: "n", Channels: []string{"a", "slow", "bad", "a", "gone"}, Users: []string{"u1"}, Data: json.RawMessage("1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := results[0]
	if r.Targets != 5 || r.Delivered != 2 || r.Failed != 1 || r.Gone != 1 || r.Requeued != 1 || len(r.Remainder) != 1 {
		t.Fatalf("result is %+v", r)
	}
	if f := r.Failures[0]; f.Target != (sumu.ConnectionRef{ConnectionID: "bad"}) || !errors.Is(f.Err, sumu.ErrInvalid) {
		t.Errorf("failed: %+v", f)
	}
	if got := b.taken(); !slices.Equal(got, []string{frame("a"), "u1"}) {
		t.Errorf("posted %q", got)
	}
	child := r.Remainder[0]
	wire, err := json.Marshal(child)
	if err != nil {
		t.Fatal(err)
	}
	var back sumu.Notification
	if err := json.Unmarshal(wire, &back); err != nil || back.Attempt != 1 {
		t.Fatalf("%s: %v", wire, err)
	}
	b.fail = nil
	if results, err = p.Push(t.Context(), back); err != nil || results[0].Delivered != 1 || len(results[0].Remainder) > 0 {
		t.Errorf("remainder: %+v, %v", results, err)
	}
	if got := b.taken(); !slices.Equal(got, []string{frame("slow")}) {
		t.Errorf("the remainder posted %q", got)
	}
}

// Wherever a push is cut, every channel and every user is posted to once in all.
func TestTopicsCut(t *testing.T) {
	n := sumu.Notification{ID: "n", Channels: []string{"a", "b", "c", "d"}, Users: []string{"u0", "u1", "u2"}, Data: json.RawMessage("1")}
	want := []string{frame("a"), frame("b"), frame("c"), frame("d"), "u0", "u1", "u2"}
	for cut := 1; cut <= len(want); cut++ {
		for _, lookahead := range []int{1, 16} {
			b := new(broker)
			p := brokerPusher(t, b, func(o *pusher.Options) { o.Concurrency, o.Lookahead, o.Batch = 1, lookahead, 1 })
			ctx, cancel := context.WithCancel(t.Context())
			posts := 0
			b.after = func() {
				if posts++; posts == cut {
					cancel()
				}
			}
			results, _ := p.Push(ctx, n)
			cancel()
			b.after = nil
			for queue := results[0].Remainder; len(queue) > 0; queue = queue[1:] {
				more, err := p.Push(t.Context(), queue[0])
				if err != nil {
					t.Fatal(err)
				}
				queue = append(queue, more[0].Remainder...)
			}
			if got := b.taken(); !slices.Equal(got, want) {
				t.Errorf("cut after %d, lookahead %d: posted %q", cut, lookahead, got)
			}
		}
	}
}

func TestTopicsRefuse(t *testing.T) {
	for name, n := range map[string]sumu.Notification{
		"excluded users":       {Channels: []string{"a"}, ExcludeUsers: []string{"u1"}, Data: json.RawMessage("1")},
		"excluded connections": {Channels: []string{"a"}, ExcludeConnections: []string{"c"}, Data: json.RawMessage("1")},
		"excluded channels":    {Everyone: true, ExcludeChannels: []string{"staff"}, Data: json.RawMessage("1")},
		"a part of one":        {Users: []string{"u1"}, ExcludeChannels: []string{"staff"}, Part: "p", Data: json.RawMessage("1")},
		"event":                {Event: &sumu.Event{Type: "T", Payload: json.RawMessage("1")}},
	} {
		b := new(broker)
		n.ID = "n"
		results, err := brokerPusher(t, b).Push(t.Context(), n)
		if !errors.Is(err, sumu.ErrUnsupported) || !results[0].Refused() || len(b.taken()) > 0 {
			t.Errorf("%s: %+v, %v", name, results, err)
		}
	}
	// Where no channel is named, somebody can be left out.
	b := new(broker)
	_, err := brokerPusher(t, b).Push(t.Context(), sumu.Notification{ID: "n", Everyone: true, ExcludeUsers: []string{"u1"}, Data: json.RawMessage("1")})
	if got := b.taken(); err != nil || !slices.Equal(got, []string{"u0", "u2"}) {
		t.Errorf("everyone but u1: %q, %v", got, err)
	}
}
