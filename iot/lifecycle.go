package iot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// LifecycleOptions tune a [Lifecycle]. The zero value of a field is its default.
type LifecycleOptions struct {
	// RowTTL is how long a row lives: the longest life of a connection plus
	// slack for clocks. Default 24 h 10 min, for MQTT over WebSocket (AWS closes
	// it after 24 h; read 2026-11); at least 1 h.
	RowTTL time.Duration
	// RoleID, such as "AROAEXAMPLEID", is the unique id of the role whose
	// sessions a [Vendor] vends: events of clients that have connected
	// otherwise are ignored. Set it where anybody else in the account may connect with
	// any client id: who connects as a user's client gets the user's
	// notifications. Default "": events are not checked.
	RoleID string
	// Endpoint is written into the rows, for a table that holds connections of
	// other kinds too. Default "".
	Endpoint string
	// Logger is told of events that are ignored: at level Debug when the type or
	// the client id is another's, at Warn when it is as ours but RoleID does not fit.
	// Default: [slog.Default], warnings and errors; slog.New(slog.DiscardHandler)
	// for silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// Lifecycle turns lifecycle events into rows of the connections table: what the
// latest event of a client says is what the table says, in whatever order events
// come and however often. It is safe for concurrent use, by many processes too.
type Lifecycle struct {
	store   sumu.Store
	records sumu.StateStore
	opts    LifecycleOptions
}

var roleIDForm = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)

// NewLifecycle returns a Lifecycle that writes to store, and to records the
// latest event of each client until nothing late can matter any more: one small
// record of kind "iot" for each connection. Both may be one store. ErrInvalid is
// returned with every argument and option that cannot be.
func NewLifecycle(store sumu.Store, records sumu.StateStore, optFns ...func(*LifecycleOptions)) (*Lifecycle, error) {
	var o LifecycleOptions
	for _, fn := range optFns {
		fn(&o)
	}
	o.RowTTL = cmp.Or(o.RowTTL, 24*time.Hour+10*time.Minute)
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	if store == nil {
		errs = append(errs, invalid("a Lifecycle needs a Store"))
	}
	if records == nil {
		errs = append(errs, invalid("a Lifecycle needs a StateStore"))
	}
	if o.RowTTL < time.Hour {
		errs = append(errs, invalid("RowTTL is %v; it must be at least 1h", o.RowTTL))
	}
	if o.RoleID != "" && !roleIDForm.MatchString(o.RoleID) {
		errs = append(errs, invalid("RoleID is %q; it is the role's unique id, such as AROAEXAMPLEID1234567", o.RoleID))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Lifecycle{store: store, records: records, opts: o}, nil
}

// Handle is [Lifecycle.Apply] for an event as it comes. Events of other types
// are ignored: a rule may hand on refused connections too. ErrInvalid is returned
// for what is no event.
func (l *Lifecycle) Handle(ctx context.Context, body []byte) error {
	e, err := ParseEvent(body)
	if errors.Is(err, sumu.ErrUnsupported) {
		l.opts.Logger.DebugContext(ctx, "lifecycle event of another type is ignored")
		return nil
	}
	if err != nil {
		return err
	}
	return l.Apply(ctx, e)
}

// Apply makes the table say what the latest event of the client says. Clients
// whose id no [Vendor] has made are ignored: an account's other devices have
// events too. Errors are those of the stores, and ErrConflict when others write
// of the same client without end; the event is then to come again, as it does
// where an error is an answer: nothing is lost by a failure half-way.
// ErrInvalid is returned for an event of the future.
func (l *Lifecycle) Apply(ctx context.Context, e Event) error {
	user, ok := UserOf(e.ClientID)
	if !ok {
		l.opts.Logger.DebugContext(ctx, "lifecycle event of another's client is ignored", "client_id", e.ClientID)
		return nil
	}
	if l.opts.RoleID != "" && !isSession(e.Principal, l.opts.RoleID, e.ClientID) {
		l.opts.Logger.WarnContext(ctx, "a client that has not come by the vendor is ignored", "client_id", e.ClientID, "principal", e.Principal)
		return nil
	}
	op := "lifecycle " + e.ClientID
	now := l.opts.Now()
	if e.At.After(now.Add(epoch)) { // It would silence the events of its client.
		return &sumu.Error{Op: op, Err: invalid("the event is of the future")}
	}
	if l.expiry(e.state()).Before(now) {
		return nil // So is every row that it could be about.
	}
	if err := l.apply(ctx, user, e); err != nil {
		return &sumu.Error{Op: op, Err: err}
	}
	return nil
}

// isSession reports whether it was a session of the role, and this client's own,
// that connected. AWS writes a principal as "ROLEID:session", or as one of the
// parts of "account/ROLEID:session/ROLEID:session"; neither id nor name can hold
// a slash.
func isSession(principal, roleID, clientID string) bool {
	return slices.Contains(strings.Split(principal, "/"), roleID+":"+sessionName(clientID))
}

// tries is how often a client's record may change under one event.
const tries = 20

// apply notes the event if it is the latest, then makes the row agree with what
// is noted, until nothing was noted meanwhile. It does so for an event that is
// late as well: the one that overtook it may have been applied half-way, or by
// a worker that stalled before its write to the table.
func (l *Lifecycle) apply(ctx context.Context, user string, e Event) error {
	latest, err := l.note(ctx, e)
	if err != nil {
		return err
	}
	for range tries {
		if err := l.agree(ctx, user, e.ClientID, latest); err != nil {
			return err
		}
		r, known, err := l.load(ctx, e.ClientID)
		if err != nil {
			return err
		}
		if r.Rev == 0 || known == latest { // Rev 0: it has expired, and so has the row.
			return nil
		}
		latest = known
	}
	return &sumu.Error{Kind: sumu.ErrConflict}
}

// note keeps the event unless a later one is kept, and returns the later.
func (l *Lifecycle) note(ctx context.Context, e Event) (state, error) {
	s := e.state()
	for range tries {
		r, known, err := l.load(ctx, e.ClientID)
		if err != nil {
			return state{}, err
		}
		if r.Rev > 0 && !s.after(known) {
			return known, nil
		}
		value, err := json.Marshal(s)
		if err != nil {
			return state{}, err
		}
		err = l.records.SaveRecord(ctx, sumu.Record{
			Kind: recordKind, Key: e.ClientID, Value: value, Rev: r.Rev + 1, DeleteAt: l.expiry(s),
		})
		if !errors.Is(err, sumu.ErrConflict) {
			return s, err
		}
	}
	return state{}, &sumu.Error{Kind: sumu.ErrConflict}
}

const recordKind = "iot"

func (l *Lifecycle) load(ctx context.Context, clientID string) (sumu.Record, state, error) {
	var s state
	r, err := l.records.LoadRecord(ctx, recordKind, clientID)
	if err == nil && r.Rev > 0 {
		if err := json.Unmarshal(r.Value, &s); err != nil {
			return r, s, &sumu.Error{Op: "record of the client is none of ours", Kind: sumu.ErrUnavailable}
		}
	}
	return r, s, err
}

// expiry is when an event cannot matter any more: rows of the connection that it
// is about have expired, with what clocks may be apart.
func (l *Lifecycle) expiry(s state) time.Time {
	return s.at().Add(l.opts.RowTTL + epoch).Truncate(time.Second)
}

func (l *Lifecycle) agree(ctx context.Context, user, clientID string, s state) error {
	c := sumu.Connection{
		UserID: user, ID: clientID, Endpoint: l.opts.Endpoint,
		ConnectedAt: s.at(), DeleteAt: s.at().Add(l.opts.RowTTL).Truncate(time.Second),
	}
	if s.Connected && c.Live(l.opts.Now()) {
		return l.store.Put(ctx, c)
	}
	return l.store.Delete(ctx, c.Ref())
}
