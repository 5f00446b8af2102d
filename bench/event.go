package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// projections are what the subscribers of the event ask for.
var projections = [][]string{nil, {"player.id", "x", "y"}, {"color"}}

const (
	eventType    = "click"
	eventPayload = `{"player":{"id":"8d2c9a52-7c1e-4d63","name":"Ann"},"x":1024,"y":768,"color":"blue","at":1575929040123}`
)

var (
	perSubscriber  = in("ns CPU/subscriber", "cheaper", "dearer")
	eventEncodings = in("encodings/event", "fewer", "more")
)

// encodings counts the payloads that are posted, each once.
type encodings struct {
	mu   sync.Mutex
	seen map[*sumu.Payload]struct{}
}

func (e *encodings) Post(_ context.Context, _ sumu.Connection, p *sumu.Payload) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen[p] = struct{}{}
	return nil
}

// addEvent compares an event through the pusher with a loop that encodes it for
// each of its subscribers, who are looked up in the same store.
func addEvent(ctx context.Context, cfg *config, t *table) error {
	store, n := new(memstore.Store), cfg.targets
	for i := range n {
		c := sumu.Connection{UserID: fmt.Sprintf("u%d", i), ID: fmt.Sprintf("c%d", i)}
		if err := store.Put(ctx, c); err != nil {
			return err
		}
		sub := sumu.Subscription{EventType: eventType, Field: "color", Filter: "blue", Fields: projections[i%len(projections)]}
		if err := store.Subscribe(ctx, c, 0, sub); err != nil {
			return err
		}
	}
	event := &sumu.Event{Type: eventType, Payload: json.RawMessage(eventPayload)}
	push := func(to sumu.Sender) func() error {
		return func() error {
			p, err := pusher.New(store, to)
			if err != nil {
				return err
			}
			results, err := p.Push(ctx, sumu.Notification{ID: "n", Event: event})
			if err == nil && results[0].Delivered != n {
				err = fmt.Errorf("%d of %d delivered", results[0].Delivered, n)
			}
			return err
		}
	}
	loop := func(to sumu.Sender) func() error {
		return func() error { return encodeForEach(ctx, store, event, to) }
	}
	cost := row{
		name:  fmt.Sprintf("event to %s subscribers, %d projections", grouped(int64(n)), len(projections)),
		peer:  "a loop that encodes for each",
		scale: perSubscriber,
	}
	made := row{name: cost.name, peer: cost.peer, scale: eventEncodings}
	for range cfg.rounds {
		for _, way := range []struct {
			send      func(sumu.Sender) func() error
			cost, out *series
		}{{push, &cost.ours, &made.ours}, {loop, &cost.theirs, &made.theirs}} {
			count := &encodings{seen: make(map[*sumu.Payload]struct{})}
			if err := way.send(count)(); err != nil {
				return err
			}
			took, err := measure(cfg.sample, way.send(discard{}))
			if err != nil {
				return err
			}
			*way.cost, *way.out = append(*way.cost, took.nanos/float64(n)), append(*way.out, float64(len(count.seen)))
		}
	}
	t.add(cost)
	t.add(made)
	t.goal(made.name, made.ours, float64(len(projections)), eventEncodings)
	t.note("%s: %.1f ms CPU for the event", cost.name, cost.ours.median()*float64(n)/1e6)
	return nil
}

func encodeForEach(ctx context.Context, store *memstore.Store, e *sumu.Event, to sumu.Sender) error {
	reader := sumu.NewEventReader(e)
	for s, err := range store.Subscribers(ctx, reader, "") {
		if err != nil {
			return err
		}
		text, err := json.Marshal(struct {
			Type    string `json:"message_type"`
			Payload string `json:"payload"`
		}{e.Type, string(reader.Project(s.Subscription.Fields))})
		if err != nil {
			return err
		}
		p, err := sumu.NewPayload(text)
		if err != nil {
			return err
		}
		if err := to.Post(ctx, s.Connection, p); err != nil {
			return err
		}
	}
	return nil
}
