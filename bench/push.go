package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// discard takes every post, so that only the way to it is measured.
type discard struct{}

func (discard) Post(context.Context, sumu.Connection, *sumu.Payload) error { return nil }

// addPush compares a push to everyone with a plain loop over a map, which
// finds, checks, counts and prunes nothing: the floor.
func addPush(ctx context.Context, cfg *config, t *table) error {
	store := new(memstore.Store)
	loop := make(map[string]sumu.Connection, cfg.targets)
	now := time.Now()
	for i := range cfg.targets {
		c := sumu.Connection{
			UserID: fmt.Sprintf("u%d", i), ID: fmt.Sprintf("c%d", i),
			ConnectedAt: now, DeleteAt: now.Add(24 * time.Hour),
		}
		if err := store.Put(ctx, c); err != nil {
			return err
		}
		loop[c.ID] = c
	}
	data := message(0)
	var sender sumu.Sender = discard{}
	push, err := pusher.New(store, sender)
	if err != nil {
		return err
	}
	ours := func() error {
		results, err := push.Push(ctx, sumu.Notification{ID: "n", Everyone: true, Data: data})
		if err == nil && results[0].Delivered != cfg.targets {
			err = fmt.Errorf("%d of %d delivered", results[0].Delivered, cfg.targets)
		}
		return err
	}
	theirs := func() error {
		p, err := sumu.NewPayload(data)
		if err != nil {
			return err
		}
		posted := 0
		for _, c := range loop {
			if err := sender.Post(ctx, c, p); err != nil {
				return err
			}
			posted++
		}
		if posted != cfg.targets {
			return fmt.Errorf("%d of %d posted", posted, cfg.targets)
		}
		return nil
	}
	nanos := row{
		name:  fmt.Sprintf("push to %s in process", grouped(int64(cfg.targets))),
		peer:  "a loop over a map: the floor",
		scale: perTarget,
	}
	allocs := row{name: nanos.name, peer: nanos.peer, scale: pushAllocs}
	n := float64(cfg.targets)
	for range cfg.rounds {
		o, err := measure(cfg.sample, ours)
		if err != nil {
			return fmt.Errorf("push: %w", err)
		}
		p, err := measure(cfg.sample, theirs)
		if err != nil {
			return fmt.Errorf("push, loop: %w", err)
		}
		nanos.ours, nanos.theirs = append(nanos.ours, o.nanos/n), append(nanos.theirs, p.nanos/n)
		allocs.ours, allocs.theirs = append(allocs.ours, o.allocs), append(allocs.theirs, p.allocs)
	}
	t.add(nanos)
	t.add(allocs)
	return nil
}
