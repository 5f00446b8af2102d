// Package lead has one process of many do what one should: follow a stream,
// evaluate presence, sweep.
//
//	err := lead.Run(ctx, store, "presence", func(ctx context.Context) error {
//		return watcher.Run(ctx, feed)
//	})
//
// All processes call [Run]; one of them leads. It holds a record of a
// [sumu.StateStore], which it renews. When it ends it gives the record back, and
// another begins at once, more or less; when it dies, the record expires and
// another begins after Options.TTL, and Options.Poll at most.
//
// # What it is not
//
// It is no lock. A process that was halted while its record expired goes on for
// as long as it takes to notice, beside the one that leads since. What is done
// must bear that, as all of this module's work does: evaluations, sweeps and
// reconciliations can be done twice.
//
// # Cost
//
// With DynamoDB, at the defaults: 1 write every 5 s for the leader, and 1 read
// every 5 s for each other process.
package lead

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Options tune [Run]. The zero value of a field is its default.
type Options struct {
	// TTL is how long the lead lasts unless it is renewed, which it is three
	// times in that time: how long nobody leads when the leader has died. A
	// leader that could not renew it stops after two thirds of it. Default 15 s;
	// at least 3 s. Clocks should agree to within a third of it.
	TTL time.Duration
	// Poll is how often the others look whether somebody leads. Default a third
	// of TTL; at least 100 ms.
	Poll time.Duration
	// Node names this process in the record. Default "node".
	Node string
	// Logger is told who leads, and what failed. Default: [slog.Default], warnings
	// and errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

const (
	leadKind = "lead"
	renewals = 3 // in TTL
	// handOver bounds how long giving the record back may take.
	handOver = 5 * time.Second
)

// Run calls do whenever this process leads in what name says, until ctx ends;
// then it returns nil. The context of do ends when ctx does or somebody else
// may lead, and do must return then; its error is left out in that case. When
// it returns earlier, Run gives the lead back and returns do's error: call it
// again unless it is time to go. Failures of the store are logged and tried
// again. ErrInvalid is returned for arguments and options that cannot be, all of
// them joined.
//
// The record has the kind "lead" and name, 1 to 2,048 bytes, as its key.
func Run(ctx context.Context, store sumu.StateStore, name string, do func(ctx context.Context) error, optFns ...func(*Options)) error {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	o.TTL = cmp.Or(o.TTL, 15*time.Second)
	o.Poll = cmp.Or(o.Poll, max(o.TTL/renewals, 100*time.Millisecond))
	o.Node = cmp.Or(o.Node, "node")
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	if store == nil {
		errs = append(errs, invalid("a StateStore is missing"))
	}
	if do == nil {
		errs = append(errs, invalid("there is nothing to do"))
	}
	if o.TTL < 3*time.Second {
		errs = append(errs, invalid("TTL is %v; it must be at least 3s", o.TTL))
	}
	if o.Poll < 100*time.Millisecond {
		errs = append(errs, invalid("Poll is %v; it must be at least 100ms", o.Poll))
	}
	errs = append(errs, sumu.Record{Kind: leadKind, Key: name, Rev: 1, DeleteAt: time.Unix(1, 0)}.Validate())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c := &candidate{store: store, name: name, opts: o, holder: o.Node + "-" + rand.Text()}
	for ctx.Err() == nil {
		led, err := c.try(ctx, do)
		if led && ctx.Err() == nil && !errors.Is(err, errDeposed) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			o.Logger.WarnContext(ctx, "the lead was not taken or kept, will try again", "lead", name, "error", err)
		}
		pause(ctx, o.Poll)
	}
	return nil
}

// errDeposed: somebody else may lead.
var errDeposed = errors.New("the lead was not renewed in time")

// candidate is one call of Run.
type candidate struct {
	store  sumu.StateStore
	name   string
	holder string
	opts   Options

	rev   int64     // of the record while it is ours
	until time.Time // ours for certain until then
}

// try leads if nobody does; led is false if somebody does.
func (c *candidate) try(ctx context.Context, do func(ctx context.Context) error) (led bool, err error) {
	r, err := c.store.LoadRecord(ctx, leadKind, c.name)
	if err != nil || r.Rev > 0 && string(r.Value) != c.holder {
		return false, err
	}
	// A record of ours is from a write whose answer was lost.
	c.rev = r.Rev
	if err := c.write(ctx); err != nil {
		if errors.Is(err, sumu.ErrConflict) {
			err = nil // Somebody was first.
		}
		return false, err
	}
	c.opts.Logger.InfoContext(ctx, "leading", "lead", c.name, "holder", c.holder)
	defer c.giveBack(ctx)

	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() {
		var err error
		defer func() { ended <- err }()
		defer sumu.RecoverTo(&err)
		err = do(work)
	}()
	renewal := time.NewTicker(c.opts.TTL / renewals)
	defer renewal.Stop()
	for {
		select {
		case err := <-ended:
			return true, err
		case <-ctx.Done():
			<-ended
			return true, nil
		case <-renewal.C:
			if err := c.renew(ctx); err != nil {
				cancel(errDeposed)
				<-ended
				return true, err
			}
		}
	}
}

// renew prolongs the lead, and returns errDeposed once it may be another's.
func (c *candidate) renew(ctx context.Context) error {
	for {
		// Never beyond what is certain: an answer that comes late helps nobody.
		short, cancel := context.WithTimeout(ctx, min(c.left(), c.opts.TTL/renewals))
		err := c.write(short)
		if errors.Is(err, sumu.ErrConflict) {
			// The answer to the write before may have been lost.
			var r sumu.Record
			if r, err = c.store.LoadRecord(short, leadKind, c.name); err == nil && string(r.Value) != c.holder {
				err = errDeposed
			} else if err == nil {
				c.rev = r.Rev
				err = c.write(short)
			}
		}
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.Is(err, errDeposed):
			c.rev = 0
			return err
		case c.left() <= 0:
			return errDeposed
		}
		c.opts.Logger.WarnContext(ctx, "the lead was not renewed, will try again", "lead", c.name, "error", err)
		pause(ctx, min(c.left(), 250*time.Millisecond))
	}
}

func (c *candidate) left() time.Duration { return c.until.Sub(c.opts.Now()) }

func (c *candidate) write(ctx context.Context) error {
	now := c.opts.Now()
	err := c.store.SaveRecord(ctx, sumu.Record{
		Kind: leadKind, Key: c.name, Value: []byte(c.holder), Rev: c.rev + 1,
		DeleteAt: now.Add(c.opts.TTL + time.Second - 1).Truncate(time.Second),
	})
	if err == nil {
		c.rev++
		// The rest of TTL is for clocks that differ, and for do to return.
		c.until = now.Add(c.opts.TTL * 2 / renewals)
	}
	return err
}

// giveBack removes the record while it is certainly ours: a revision of that
// number may be another's later.
func (c *candidate) giveBack(ctx context.Context) {
	if c.rev == 0 || c.left() <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(c.left(), handOver))
	defer cancel()
	err := c.store.DeleteRecord(ctx, leadKind, c.name, c.rev)
	if err != nil && !errors.Is(err, sumu.ErrConflict) {
		c.opts.Logger.WarnContext(ctx, "the lead was not given back; it expires", "lead", c.name, "error", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "lead: " + fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
