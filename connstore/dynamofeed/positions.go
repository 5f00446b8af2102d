package dynamofeed

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	positionKind = "stream"
	saveEvery    = 15 * time.Second
	// lag is how old a position is when it is kept. What was told within that
	// time may be under evaluation yet, and too young for a reconciliation's
	// eventually consistent reads.
	lag = time.Minute
	// positionTTL is more than the 24 hours that a stream keeps its records.
	positionTTL = 48 * time.Hour
)

// positions is a record's value.
type positions struct {
	Stream string `json:"stream"`
	// Shards has the last sequence number of each; "" when nothing was read, and
	// ended when everything was.
	Shards map[string]string `json:"shards"`
}

const ended = "end"

// snapshot is the positions of a moment.
type snapshot struct {
	at time.Time
	positions
}

// subscribe finds the place in every shard.
func (r *reader) subscribe(ctx context.Context) error {
	stream, err := r.f.streamOf(ctx)
	if err != nil {
		return err
	}
	listed, err := r.f.shardsOf(ctx, stream)
	if err != nil {
		return err
	}
	kept, err := r.loadPositions(ctx)
	if err != nil {
		return err
	}
	r.stream = stream
	clear(r.shards)
	// A shard that has children was closed: what is in it happened before. Not
	// by its EndingSequenceNumber, which dynoxide has for open shards too.
	parents := make(map[string]bool, len(listed))
	for _, l := range listed {
		parents[l.parent] = true
	}
	for _, l := range listed {
		s := &shard{shardID: l.shardID, parent: l.parent}
		switch seq, known := kept.Shards[l.id]; {
		case kept.Stream == "":
			s.done = parents[l.id]
			s.latest = !s.done
		case kept.Stream != stream, !known, seq == "": // From its beginning.
		case seq == ended:
			s.done = true
		default:
			s.seq = seq
		}
		if s.latest {
			if err := r.place(ctx, s); err != nil {
				return err
			}
			if s.iterator == nil && !s.done {
				return errors.New("the place in shard " + s.id + " was not found")
			}
		}
		r.shards[s.shardID] = s
	}
	if kept.Stream == "" {
		// At once: who takes over before the first are a minute old would begin
		// where the stream is by then, and a cleaner has no reconciliation.
		// They name the beginning of shards that may be a day old, which is read
		// once more then.
		r.keep(ctx, r.f.opts.Now(), r.positions())
	}
	return nil
}

// loadPositions returns no stream when there are none that can be used.
func (r *reader) loadPositions(ctx context.Context) (kept positions, err error) {
	if r.f.opts.Positions == nil {
		return kept, nil
	}
	rec, err := r.f.opts.Positions.LoadRecord(ctx, positionKind, r.f.opts.Table)
	if err != nil {
		return kept, err
	}
	r.rev = rec.Rev
	return parsePositions(rec.Value), nil
}

func parsePositions(value []byte) (kept positions) {
	if json.Unmarshal(value, &kept) != nil {
		return positions{}
	}
	return kept
}

// keepPositions keeps those of a minute ago.
func (r *reader) keepPositions(ctx context.Context) {
	if r.f.opts.Positions == nil {
		return
	}
	now := r.f.opts.Now()
	r.snapshots = append(r.snapshots, snapshot{now, r.positions()})
	old := -1
	for i, s := range r.snapshots {
		if now.Sub(s.at) >= lag {
			old = i
		}
	}
	if old < 0 {
		return
	}
	r.snapshots = r.snapshots[old:]
	r.keep(ctx, now, r.snapshots[0].positions)
}

// keep saves positions. Its failure is told and changes nothing: older ones do
// as well.
func (r *reader) keep(ctx context.Context, now time.Time, p positions) {
	if r.f.opts.Positions == nil {
		return
	}
	if err := r.savePositions(ctx, now, p); err != nil && ctx.Err() == nil {
		r.f.opts.Logger.WarnContext(ctx, "the positions in the stream were not kept", "table", r.f.opts.Table, "error", err)
	}
}

func (r *reader) positions() positions {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := positions{Stream: r.stream, Shards: make(map[string]string, len(r.shards))}
	for _, s := range r.sorted() {
		switch {
		case s.stream != r.stream: // An older stream's, which nobody goes on with.
		case s.done:
			p.Shards[s.id] = ended
		default:
			p.Shards[s.id] = s.seq
		}
	}
	return p
}

// savePositions overwrites whatever another reader has kept: it may be ahead or
// behind, and both do no harm.
func (r *reader) savePositions(ctx context.Context, now time.Time, p positions) error {
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	rec := sumu.Record{
		Kind: positionKind, Key: r.f.opts.Table, Value: value,
		Rev: r.rev + 1, DeleteAt: now.Add(positionTTL).Truncate(time.Second),
	}
	err = r.f.opts.Positions.SaveRecord(ctx, rec)
	if errors.Is(err, sumu.ErrConflict) {
		var other sumu.Record
		if other, err = r.f.opts.Positions.LoadRecord(ctx, positionKind, r.f.opts.Table); err != nil {
			return err
		}
		rec.Rev = other.Rev + 1
		err = r.f.opts.Positions.SaveRecord(ctx, rec)
	}
	if err == nil {
		r.rev = rec.Rev
	}
	return err
}
