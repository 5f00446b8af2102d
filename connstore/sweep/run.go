package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// Report is what a run did. Each row that was scanned is counted once more:
// Scanned = Kept + Gone + NodeDead + Failed.
type Report struct {
	Expired int `json:"expired"` // expired rows removed; with memstore expired records too

	Scanned  int `json:"scanned"`   // rows read and dealt with
	Kept     int `json:"kept"`      // rows left: nothing says that they are dead
	Gone     int `json:"gone"`      // rows removed: the platform says 410
	NodeDead int `json:"node_dead"` // rows removed: their node's lease has expired
	Failed   int `json:"failed"`    // rows left: to ask or to remove has failed

	Checked int `json:"checked"` // calls of Check
	Leases  int `json:"leases"`  // lookups of a node's lease

	// Complete: the run came to the end of its segment.
	Complete bool `json:"complete"`
}

// maxErrors bounds what a run reports of what failed.
const maxErrors = 8

// pass is one run over a segment.
type pass struct {
	s      *Sweeper
	nodes  *nodes
	report Report
	cutoff time.Time // rows accepted before it are old
	prunes int
	errs   []error
}

// Run sweeps a segment, from behind seg.After on, until its end or until a
// budget is spent. It returns where the next run goes on: at the beginning when
// Report.Complete. The report and the position hold also when there is an
// error, which joins the first 8 failures: of single rows, which stopped
// nothing, of the scan, and of ctx if it has ended. ErrInvalid is returned for
// a segment that does not exist.
func (s *Sweeper) Run(ctx context.Context, seg sumu.Segment) (Report, sumu.Segment, error) {
	nodes := s.newNodes()
	defer nodes.release(ctx)
	return s.run(ctx, seg, nodes)
}

func (s *Sweeper) run(ctx context.Context, seg sumu.Segment, nodes *nodes) (Report, sumu.Segment, error) {
	if err := seg.Validate(); err != nil {
		return Report{}, seg, &sumu.Error{Op: "sweep", Err: err}
	}
	p := &pass{s: s, nodes: nodes, cutoff: s.opts.Now().Add(-s.opts.OlderThan)}
	work, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		work, cancel = context.WithDeadline(ctx, deadline.Add(-s.opts.Reserve))
	}
	defer cancel()
	if seg.Index == 0 && !s.opts.KeepExpired {
		p.expired(work)
	}
	next := p.scan(work, seg)
	if err := ctx.Err(); err != nil {
		p.failed(err)
	}
	if err := errors.Join(p.errs...); err != nil {
		return p.report, next, &sumu.Error{Op: "sweep", Err: err}
	}
	return p.report, next, nil
}

func (p *pass) failed(err error) {
	if len(p.errs) < maxErrors {
		p.errs = append(p.errs, err)
	}
}

// expired has half of the time only: on a large table it would leave none for
// the scan, in every run.
func (p *pass) expired(work context.Context) {
	store, ok := p.s.store.(sumu.Sweeper)
	if !ok || work.Err() != nil {
		return
	}
	half, cancel := work, context.CancelFunc(func() {})
	if deadline, ok := work.Deadline(); ok {
		half, cancel = context.WithTimeout(work, time.Until(deadline)/2)
	}
	defer cancel()
	n, err := store.SweepExpired(half, p.s.opts.MaxRemovals)
	p.report.Expired = n
	if err != nil && half.Err() == nil {
		p.failed(err)
	}
}

func (p *pass) scan(work context.Context, seg sumu.Segment) sumu.Segment {
	for c, err := range p.s.store.All(work, seg) {
		if work.Err() != nil {
			return seg
		}
		if err != nil {
			p.failed(err)
			return seg
		}
		if p.report.Scanned == p.s.opts.MaxRows {
			return seg
		}
		outcome, err := p.row(work, c)
		if outcome == nil {
			return seg
		}
		if err != nil {
			p.failed(err)
		}
		*outcome++
		p.report.Scanned++
		seg.After = c.Ref()
	}
	if work.Err() == nil {
		p.report.Complete = true
		seg.After = sumu.ConnectionRef{}
	}
	return seg
}

// row deals with a row and returns its count; nil when the budget does not
// suffice, and nothing was done. A row that has begun is never returned to in
// this round: one that hangs would hold up all behind it for ever.
func (p *pass) row(ctx context.Context, c sumu.Connection) (outcome *int, err error) {
	r, o := &p.report, &p.s.opts
	var spent bool
	if o.Leases != nil && c.Endpoint != "" && o.Leased(c.Endpoint) {
		if p.prunes == o.MaxRemovals {
			return nil, nil
		}
		taken, state, err := p.nodes.ask(ctx, c.Endpoint, func() bool {
			spent = r.Leases+r.Checked == o.MaxChecks
			if !spent {
				r.Leases++
			}
			return !spent
		})
		switch {
		case spent:
			return nil, nil
		case state == nodeUnknown:
			return &r.Failed, err
		case state == nodeDead:
			return p.prune(ctx, c, taken, &r.NodeDead)
		}
	}
	if o.Check == nil || c.ConnectedAt.UnixMilli() >= p.cutoff.UnixMilli() {
		return &r.Kept, nil
	}
	if r.Leases+r.Checked == o.MaxChecks || p.prunes == o.MaxRemovals {
		return nil, nil
	}
	r.Checked++
	switch err := p.check(ctx, c); {
	case err == nil:
		return &r.Kept, nil
	case !gone(err):
		return &r.Failed, &sumu.Error{Op: "check " + c.ID, Err: err}
	}
	return p.prune(ctx, c, p.cutoff, &r.Gone)
}

func (p *pass) check(ctx context.Context, c sumu.Connection) (err error) {
	ctx, cancel := context.WithTimeout(ctx, p.s.opts.CheckTimeout)
	defer cancel()
	defer sumu.RecoverTo(&err)
	return p.s.opts.Check.Check(ctx, c)
}

// gone reports whether err says ErrGone and nothing else: one that may succeed
// later, or that was forbidden, proves nothing whatever is inside of it.
func gone(err error) bool {
	return errors.Is(err, sumu.ErrGone) && !sumu.Retryable(err) && !errors.Is(err, sumu.ErrForbidden)
}

func (p *pass) prune(ctx context.Context, c sumu.Connection, notAfter time.Time, count *int) (*int, error) {
	p.prunes++
	removed, err := p.s.store.Prune(ctx, c.Ref(), notAfter)
	switch {
	case err != nil:
		return &p.report.Failed, err
	case !removed: // It was closed or replaced meanwhile.
		return &p.report.Kept, nil
	}
	return count, nil
}
