package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	maxSegments  = 16 // whose positions fit into a record
	positionKind = "sweep"
	positionKey  = "positions"
	positionTTL  = 7 * 24 * time.Hour
)

// Sweep is what a schedule calls, every minute or few: it runs all segments at
// the same time, each from where the last Sweep stopped, logs the sum of their
// reports, and keeps where they stopped. It returns what Run returns, joined,
// and the errors of Options.Positions: without a position it starts at the
// beginning. Of two at the same time one keeps its position.
func (s *Sweeper) Sweep(ctx context.Context) error {
	segs, rev, err := s.load(ctx)
	errs := []error{err}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total = Report{Complete: true}
		nodes = s.newNodes()
	)
	for i := range segs {
		wg.Go(func() {
			r, next, err := s.run(ctx, segs[i], nodes)
			if errors.Is(err, sumu.ErrInvalid) && next == segs[i] {
				next.After = sumu.ConnectionRef{} // A position that no scan accepts.
			}
			segs[i] = next
			mu.Lock()
			defer mu.Unlock()
			total = total.plus(r)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	nodes.release(ctx)
	errs = append(errs, s.save(ctx, segs, rev))
	err = errors.Join(errs...)
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
	}
	s.opts.Logger.Log(ctx, level, "swept", "report", total, "err", err)
	return err
}

func (r Report) plus(o Report) Report {
	return Report{
		Expired:  r.Expired + o.Expired,
		Scanned:  r.Scanned + o.Scanned,
		Kept:     r.Kept + o.Kept,
		Gone:     r.Gone + o.Gone,
		NodeDead: r.NodeDead + o.NodeDead,
		Failed:   r.Failed + o.Failed,
		Checked:  r.Checked + o.Checked,
		Leases:   r.Leases + o.Leases,
		Complete: r.Complete && o.Complete,
	}
}

// load returns a segment for each index, and the revision of the record.
func (s *Sweeper) load(ctx context.Context) ([]sumu.Segment, int64, error) {
	if s.opts.Positions == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.segs == nil {
			return positions(nil, s.opts.Segments), 0, nil
		}
		return slices.Clone(s.segs), 0, nil
	}
	r, err := s.opts.Positions.LoadRecord(ctx, positionKind, positionKey)
	if err != nil {
		// Not the beginning in the next run as well: nothing is saved.
		return positions(nil, s.opts.Segments), -1, &sumu.Error{Op: "sweep: position", Err: err}
	}
	return positions(r.Value, s.opts.Segments), r.Rev, nil
}

// positions returns the segments of a record. What was kept for another number
// of segments, or is none of ours, is the beginning.
func positions(value []byte, count int) []sumu.Segment {
	segs := make([]sumu.Segment, count)
	var kept []sumu.Segment
	err := json.Unmarshal(value, &kept)
	for i := range segs {
		segs[i] = sumu.Segment{Index: i, Count: count}
		if err == nil && len(kept) == count && kept[i].Index == i && kept[i].Count == count && kept[i].After.Validate() == nil {
			segs[i].After = kept[i].After
		}
	}
	return segs
}

func (s *Sweeper) save(ctx context.Context, segs []sumu.Segment, rev int64) error {
	if s.opts.Positions == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.segs = segs
		return nil
	}
	if rev < 0 {
		return nil
	}
	value, err := json.Marshal(segs)
	if err == nil {
		err = s.opts.Positions.SaveRecord(ctx, sumu.Record{
			Kind:     positionKind,
			Key:      positionKey,
			Value:    value,
			Rev:      rev + 1,
			DeleteAt: s.opts.Now().Add(positionTTL),
		})
	}
	if err == nil || errors.Is(err, sumu.ErrConflict) {
		return nil // Another Sweep at the same time has kept its own.
	}
	return &sumu.Error{Op: "sweep: position", Err: err}
}
