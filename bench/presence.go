package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/presence"
)

var (
	evaluationsPerSecond = scale{"evaluations/s", true, "faster", "slower"}
	perEvaluation        = in("µs CPU/evaluation", "cheaper", "dearer")
)

// presenceAtOnce is a watcher's default.
const presenceAtOnce = 16

// evaluated is what evaluations of one kind took.
type evaluated struct{ perSecond, micros float64 }

// addPresence has watchers evaluate batches of changes, as a stream has them,
// over the emulator of DynamoDB, which takes most of the time: of users for whom
// nothing changes, and of users who come or go with each batch.
func addPresence(ctx context.Context, cfg *config, t *table) error {
	db, err := startEmulator(ctx, emulatorDynamo)
	if err != nil {
		return skipped(t, "presence", err)
	}
	defer db.stop()
	batch := min(256, cfg.targets)
	took := make(map[string][]evaluated)
	for _, atOnce := range []int{presenceAtOnce, 1} {
		d, err := newDynamo(ctx, db.endpoint, fmt.Sprintf("presence-%d", atOnce), atOnce)
		if err != nil {
			return err
		}
		defer d.close()
		accept := sumu.PresencePublisherFunc(func(context.Context, sumu.PresenceEvent) error { return nil })
		w, err := presence.New(d, accept, func(o *presence.Options) { o.Concurrency = atOnce })
		if err != nil {
			return err
		}
		for range cfg.rounds {
			for _, flip := range []bool{false, true} {
				e, err := evaluate(ctx, cfg, d, w, batch, flip)
				if err != nil {
					return err
				}
				name := evaluationName(flip, atOnce)
				took[name] = append(took[name], e)
			}
		}
	}
	for _, flip := range []bool{false, true} {
		ours, theirs := evaluationName(flip, presenceAtOnce), evaluationName(flip, 1)
		speed := row{name: ours, peer: "1 at a time", scale: evaluationsPerSecond}
		cost := row{name: ours, peer: speed.peer, scale: perEvaluation}
		for i := range took[ours] {
			speed.ours, cost.ours = append(speed.ours, took[ours][i].perSecond), append(cost.ours, took[ours][i].micros)
			speed.theirs, cost.theirs = append(speed.theirs, took[theirs][i].perSecond), append(cost.theirs, took[theirs][i].micros)
		}
		t.add(speed)
		t.add(cost)
	}
	return nil
}

func evaluationName(flip bool, atOnce int) string {
	what := "nothing changes"
	if flip {
		what = "users come and go"
	}
	return fmt.Sprintf("presence on dynoxide, %s, %d at a time", what, atOnce)
}

// evaluate repeats a batch for as long as cfg says. What makes users come and
// go counts for nothing.
func evaluate(ctx context.Context, cfg *config, d *dynamo, w *presence.Watcher, batch int, flip bool) (evaluated, error) {
	changes := make([]sumu.Change, batch)
	for i := range changes {
		changes[i] = sumu.Change{UserID: fmt.Sprint("user-", i), ConnectionID: "c"}
	}
	if _, err := w.Observe(ctx, changes...); err != nil { // Warms up.
		return evaluated{}, err
	}
	var wall, cpu time.Duration
	n, live := 0, false
	// Twice at least, so that users who came go as well.
	for wall < 4*cfg.sample || n < 2*batch || live {
		if flip {
			live = !live
			if err := comeOrGo(ctx, d, changes, live); err != nil {
				return evaluated{}, err
			}
		}
		begun, used := time.Now(), cpuUsed()
		if _, err := w.Observe(ctx, changes...); err != nil {
			return evaluated{}, err
		}
		wall, cpu = wall+time.Since(begun), cpu+cpuUsed()-used
		n += batch
	}
	return evaluated{float64(n) / wall.Seconds(), micros(cpu) / float64(n)}, nil
}

func comeOrGo(ctx context.Context, d *dynamo, changes []sumu.Change, live bool) error {
	for _, c := range changes {
		var err error
		if live {
			now := time.Now()
			err = d.Put(ctx, sumu.Connection{UserID: c.UserID, ID: c.ConnectionID, ConnectedAt: now, DeleteAt: now.Add(time.Hour)})
		} else {
			err = d.Delete(ctx, sumu.ConnectionRef(c))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
