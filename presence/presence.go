package presence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Store is what a [Watcher] needs of a store. Every [sumu.Store] that is a
// [sumu.PresenceStore] too is one.
type Store interface {
	sumu.PresenceStore

	// HasLive reports whether the user has at least one unexpired connection:
	// strongly consistent.
	HasLive(ctx context.Context, userID string) (bool, error)
}

// Options tune a [Watcher]. The zero value of a field is its default.
type Options struct {
	// Grace is how long a user must be without a connection before OFFLINE, so
	// that a page that reloads does not flap. It counts from the last observed
	// change. Default none: OFFLINE at once; negative: the same. It needs Delay, or Run.
	Grace time.Duration

	// Delay hands a delayed check to whatever keeps it, a delay queue for
	// example: [Watcher.Check] must be called with the user after about that
	// time. It returns nil once the check cannot be lost any more. Checks may
	// come early, late, or twice; each one matters, none may be dropped.
	// Default: the timers of [Watcher.Run], which live as long as it runs.
	Delay func(ctx context.Context, userID string, after time.Duration) error

	// Attempts is how often one evaluation reads the presence row before it
	// gives up with ErrConflict. Default 10; at least 2.
	Attempts int

	// Concurrency is how many users one call of Observe or Check, and Run,
	// evaluate at the same time. Default 16.
	Concurrency int

	// SweepEvery is how often Run removes expired rows, if the store is a
	// [sumu.Sweeper]: how much later than a row's expiry its user's OFFLINE may
	// be. A sweep may read the whole table. Default 10 s; negative: never.
	SweepEvery time.Duration

	// ReconcileEvery is how often Run looks for users whose presence and
	// connections disagree; see [Watcher.Reconcile] for what it costs. It does
	// so once when it starts, too. Default 10 min; negative: never.
	ReconcileEvery time.Duration

	// RetryMin and RetryMax bound the pause before Run tries a user again
	// whose evaluation failed. It doubles with every failure and is jittered.
	// Defaults 100 ms and 30 s.
	RetryMin, RetryMax time.Duration

	// Observer is told of every event that its destination accepted, and of
	// duplicates too.
	Observer sumu.Observer

	// Logger gets what Run tries again. Default: [slog.Default], warnings and
	// errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger

	// Now is the clock of the events. Default [time.Now].
	Now func() time.Time
}

// Watcher evaluates users. It keeps no state of them: many watchers, in many
// processes, can share one store. It is safe for concurrent use.
type Watcher struct {
	store Store
	pub   sumu.PresencePublisher
	opts  Options
	run   atomic.Pointer[loop] // the active Run; nil: none
}

var _ sumu.PresenceWatcher = (*Watcher)(nil)

// New returns a Watcher that keeps presence in store and publishes to pub.
// ErrInvalid is returned with every option that cannot be.
func New(store Store, pub sumu.PresencePublisher, optFns ...func(*Options)) (*Watcher, error) {
	var opts Options
	for _, fn := range optFns {
		fn(&opts)
	}
	opts.setDefaults()
	errs := opts.check()
	if store == nil {
		errs = append(errs, invalid("a Watcher needs a Store"))
	}
	if pub == nil {
		errs = append(errs, invalid("a Watcher needs a PresencePublisher"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Watcher{store: store, pub: pub, opts: opts}, nil
}

func (o *Options) setDefaults() {
	o.Grace = max(o.Grace, 0)
	o.Attempts = cmp.Or(o.Attempts, 10)
	o.Concurrency = cmp.Or(o.Concurrency, 16)
	o.SweepEvery = cmp.Or(o.SweepEvery, 10*time.Second)
	o.ReconcileEvery = cmp.Or(o.ReconcileEvery, 10*time.Minute)
	o.RetryMin = cmp.Or(o.RetryMin, 100*time.Millisecond)
	o.RetryMax = cmp.Or(o.RetryMax, max(o.RetryMin, 30*time.Second))
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
}

func (o *Options) check() (errs []error) {
	if o.Attempts < 2 {
		errs = append(errs, invalid("Attempts is %d; it must be at least 2", o.Attempts))
	}
	if o.Concurrency < 1 {
		errs = append(errs, invalid("Concurrency is %d; it must be at least 1", o.Concurrency))
	}
	if o.RetryMin < 0 || o.RetryMax < o.RetryMin {
		errs = append(errs, invalid("RetryMin %v and RetryMax %v are no range", o.RetryMin, o.RetryMax))
	}
	return errs
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "presence: " + fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
