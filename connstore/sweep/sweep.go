package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Checker asks the platform whether a connection still exists.
type Checker interface {
	// Check returns nil while the connection exists, and ErrGone only when the
	// platform itself says that it does not (HTTP 410). Every other error
	// proves nothing, and the row stays. It must end with ctx.
	Check(ctx context.Context, c sumu.Connection) error
}

// CheckerFunc is a function as a [Checker].
type CheckerFunc func(ctx context.Context, c sumu.Connection) error

// Check calls f.
func (f CheckerFunc) Check(ctx context.Context, c sumu.Connection) error { return f(ctx, c) }

// Options tune a [Sweeper]. The zero value of a field is its default. Budgets
// are those of one [Sweeper.Run]; [Sweeper.Sweep] makes one for each segment.
type Options struct {
	// Check asks whether an old row's connection exists. Default nil: rows are
	// not checked.
	Check Checker
	// OlderThan is the age from which a row is checked, counted from its
	// ConnectedAt; a row without one is old. A row that is younger may be of a
	// socket that is just being opened, which API Gateway calls gone too.
	// Default 15 min: API Gateway has closed an idle socket by then. At least 1 min.
	OlderThan time.Duration
	// CheckTimeout bounds one call of Check. Default 5 s; positive.
	CheckTimeout time.Duration

	// Leases is where the nodes' leases are, of the rows' Endpoints. Default
	// nil: no row is removed because of its node.
	Leases sumu.StateStore
	// Leased reports whether an endpoint is that of a node that holds a lease
	// before it writes a row, and as long as it lives: [NodesBelow], or your
	// own. It is required with Leases: with an endpoint that never has a lease
	// it must return false, or all rows of that endpoint are removed. It is not
	// asked about the endpoint "".
	Leased func(endpoint string) bool

	// Takeover is how long a node without a lease has to take it again, from
	// the moment on at which a run could read a lease: when the table was out of
	// reach the leases of all nodes have expired, of those that live too. Choose
	// half of gateway.Options.LeaseTTL, or more. A run that finds such a node
	// waits for so long, once. Default 15 s; a negative value: it has none.
	Takeover time.Duration

	// KeepExpired leaves expired rows to others: a presence.Watcher's Run, or
	// a schedule that calls SweepExpired. Default false: the run of segment 0
	// removes them first, in at most half of the time that it has.
	KeepExpired bool

	// MaxRows is how many rows a run reads. Default 100,000; negative: no limit.
	MaxRows int
	// MaxChecks is how many calls of Check and lookups of leases a run makes,
	// together. Default 1000; negative: no limit.
	MaxChecks int
	// MaxRemovals is how many rows a run tries to remove, and how many expired
	// rows besides. Default 1000; negative: no limit.
	MaxRemovals int
	// Reserve is how long before the deadline of its context a run stops, to
	// give leases back and to keep its position. Default 2 s; negative: none.
	Reserve time.Duration

	// Segments is in how many segments Sweep reads the table, at the same
	// time. Default 1; at most 16.
	Segments int
	// Positions keeps where Sweep has stopped, in the record of kind "sweep"
	// and key "positions", for 7 days. Default nil: this Sweeper's memory,
	// which does for a process that lives on; a Lambda that starts anew would
	// never get behind its first budget.
	Positions sumu.StateStore

	// Now is the clock. Default [time.Now].
	Now func() time.Time
	// Logger is told of each Sweep and of what failed. Default: [slog.Default],
	// warnings and errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
}

// Sweeper removes the rows of dead connections. It is safe for concurrent use.
type Sweeper struct {
	store sumu.Store
	opts  Options

	mu   sync.Mutex
	segs []sumu.Segment // where Sweep stopped; nil: nowhere yet
}

// New returns a Sweeper of the store's rows. ErrInvalid is returned for options
// that do not fit, all of them joined.
func New(store sumu.Store, optFns ...func(*Options)) (*Sweeper, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	o.OlderThan = cmp.Or(o.OlderThan, 15*time.Minute)
	o.CheckTimeout = cmp.Or(o.CheckTimeout, 5*time.Second)
	o.MaxRows = cmp.Or(o.MaxRows, 100_000)
	o.MaxChecks = cmp.Or(o.MaxChecks, 1000)
	o.MaxRemovals = cmp.Or(o.MaxRemovals, 1000)
	o.Reserve = max(cmp.Or(o.Reserve, 2*time.Second), 0)
	for _, budget := range []*int{&o.MaxRows, &o.MaxChecks, &o.MaxRemovals} {
		if *budget < 0 {
			*budget = math.MaxInt32
		}
	}
	o.Segments = cmp.Or(o.Segments, 1)
	o.Takeover = max(cmp.Or(o.Takeover, 15*time.Second), 0)
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	errs := o.check()
	if store == nil {
		errs = append(errs, invalid("a Sweeper needs a Store"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Sweeper{store: store, opts: o}, nil
}

func (o *Options) check() (errs []error) {
	if o.OlderThan < time.Minute {
		errs = append(errs, invalid("OlderThan is %v; it must be at least 1m", o.OlderThan))
	}
	if o.CheckTimeout < 0 {
		errs = append(errs, invalid("CheckTimeout is %v; it must be positive", o.CheckTimeout))
	}
	if o.Segments < 1 || o.Segments > maxSegments {
		errs = append(errs, invalid("Segments is %d; 1 to %d are allowed", o.Segments, maxSegments))
	}
	if (o.Leases == nil) != (o.Leased == nil) {
		errs = append(errs, invalid("Leases and Leased need each other"))
	}
	return errs
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
