package authorizer

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	ticketKind  = "ticket"
	ticketBytes = 24 // 192 random bits

	opIssue  = "issue ticket"
	opRedeem = "redeem ticket"
)

// TicketOptions tune [Tickets]. The zero value is the default.
type TicketOptions struct {
	// Life is how long a ticket may be used. Default 30 s; 1 s to 10 min.
	Life time.Duration
	// Source says where a request holds its ticket. Default: the query
	// parameter "ticket". A cookie is refused: no ticket is worth one.
	Source TokenSource
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// Tickets lets clients connect with a ticket instead of a token: a short random
// text that an endpoint of yours hands out to whom it knows already, and that
// counts once and for a few seconds. So no token ever stands in an address, where
// proxies log it. It is safe for concurrent use.
//
// Accept tickets beside tokens with [First].
type Tickets struct {
	store sumu.StateStore
	opts  TicketOptions
}

var (
	_ sumu.Authorizer    = (*Tickets)(nil)
	_ sumu.AmbientReader = (*Tickets)(nil)
)

// NewTickets returns tickets that are kept in a store, which all processes that
// issue and redeem them share. The store sees the SHA-256 of a ticket only: who
// can read it cannot connect. ErrInvalid is returned with every option that
// cannot be.
func NewTickets(store sumu.StateStore, optFns ...func(*TicketOptions)) (*Tickets, error) {
	var opts TicketOptions
	for _, fn := range optFns {
		fn(&opts)
	}
	opts.Life = cmp.Or(opts.Life, 30*time.Second)
	if opts.Source.read == nil {
		opts.Source = FromQuery("ticket")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	var errs []error
	if store == nil {
		errs = append(errs, invalid("Tickets need a StateStore"))
	}
	if opts.Life < time.Second || opts.Life > 10*time.Minute {
		errs = append(errs, invalid("Life is %v; it must be %v to %v", opts.Life, time.Second, 10*time.Minute))
	}
	if opts.Source.name == "" {
		errs = append(errs, invalid("Source has no name"))
	}
	if opts.Source.cookie {
		errs = append(errs, invalid("Source is a cookie; a ticket is for the query, a header or a sub-protocol"))
	}
	if err := joined(errs); err != nil {
		return nil, err
	}
	return &Tickets{store: store, opts: opts}, nil
}

// ticketValue is an identity as it is stored. Dates are in ms since the epoch;
// 0: none.
type ticketValue struct {
	UserID    string            `json:"user"`
	Until     int64             `json:"until"` // of the ticket itself
	ExpiresAt int64             `json:"expires,omitempty"`
	IssuedAt  int64             `json:"issued,omitempty"`
	Grants    sumu.Grants       `json:"grants,omitempty"`
	Claims    map[string]string `json:"claims,omitempty"`
}

// Issue returns a ticket for an identity: 32 characters that fit into an
// address. Call it for whom you have authenticated, such as by
// [Authorizer.Verify], and limit how often. ErrInvalid is returned for an
// identity or grants that do not validate,
// ErrUnauthorized for one that has expired, ErrTooLarge for one over
// [sumu.MaxRecordValue]; any other error is the store's.
func (t *Tickets) Issue(ctx context.Context, id sumu.Identity) (ticket string, err error) {
	now := t.opts.Now()
	if err := id.Validate(); err != nil {
		return "", &sumu.Error{Op: opIssue, Kind: sumu.ErrInvalid, Err: err}
	}
	if !id.ExpiresAt.IsZero() && !now.Before(id.ExpiresAt) {
		return "", &sumu.Error{Op: opIssue, Kind: sumu.ErrUnauthorized, Err: ErrTokenExpired}
	}
	until := now.Add(t.opts.Life)
	value, err := json.Marshal(ticketValue{
		UserID: id.UserID, Until: until.UnixMilli(),
		ExpiresAt: millis(id.ExpiresAt), IssuedAt: millis(id.IssuedAt),
		Grants: id.Grants, Claims: id.Claims,
	})
	if err != nil {
		return "", &sumu.Error{Op: opIssue, Kind: sumu.ErrInvalid, Err: err}
	}
	random := make([]byte, ticketBytes)
	rand.Read(random) // It never fails.
	ticket = base64.RawURLEncoding.EncodeToString(random)
	r := sumu.Record{
		Kind: ticketKind, Key: ticketKey(ticket), Value: value, Rev: 1,
		DeleteAt: until.Add(time.Second - 1).Truncate(time.Second), // Never before until.
	}
	if err := r.Validate(); err != nil {
		return "", &sumu.Error{Op: opIssue, Err: err}
	}
	if err := t.store.SaveRecord(ctx, r); err != nil {
		return "", &sumu.Error{Op: opIssue, Err: err}
	}
	return ticket, nil
}

// Authorize redeems the ticket of a connect request: of several requests with
// one ticket, at any number of processes, exactly one is let in.
// ErrUnauthorized is returned for a ticket that is missing (ErrNoToken), or
// that is not known, was used, or has expired (ErrTicket); ErrUnavailable when the
// store fails, after which the ticket may be used up.
func (t *Tickets) Authorize(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	ticket := t.opts.Source.read(r, t.opts.Source.name)
	switch len(ticket) {
	case 0:
		return sumu.Identity{}, redeemError(ErrNoToken)
	case base64.RawURLEncoding.EncodedLen(ticketBytes):
	default: // Not worth a read.
		return sumu.Identity{}, redeemError(ErrTicket)
	}
	key := ticketKey(ticket)
	record, err := t.store.LoadRecord(ctx, ticketKind, key)
	switch {
	case err != nil:
		return sumu.Identity{}, storeError(err)
	case record.Rev == 0:
		return sumu.Identity{}, redeemError(ErrTicket)
	}
	// Who removes it has it: what was read before proves nothing.
	switch err := t.store.DeleteRecord(ctx, ticketKind, key, record.Rev); {
	case errors.Is(err, sumu.ErrConflict):
		return sumu.Identity{}, redeemError(ErrTicket)
	case err != nil:
		return sumu.Identity{}, storeError(err)
	}
	var v ticketValue
	if err := json.Unmarshal(record.Value, &v); err != nil {
		return sumu.Identity{}, storeError(errors.New("stored ticket cannot be read")) // The cause would show it.
	}
	now := t.opts.Now()
	if !now.Before(time.UnixMilli(v.Until)) || v.ExpiresAt != 0 && !now.Before(time.UnixMilli(v.ExpiresAt)) {
		return sumu.Identity{}, redeemError(ErrTicket)
	}
	return sumu.Identity{
		UserID: v.UserID, ExpiresAt: fromMillis(v.ExpiresAt), IssuedAt: fromMillis(v.IssuedAt),
		Grants: v.Grants, Claims: v.Claims,
	}, nil
}

// AmbientCredentials implements [sumu.AmbientReader], as [Authorizer] does for a
// token from such a source: never with r nil.
func (t *Tickets) AmbientCredentials(r *sumu.ConnectRequest) bool {
	return r != nil && t.opts.Source.read(r, t.opts.Source.name) != "" && t.opts.Source.ambient(r)
}

func ticketKey(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// redeemError gives a refusal its kind, and storeError a fault of ours.
func redeemError(reason error) error {
	return &sumu.Error{Op: opRedeem, Kind: kindOf(reason), Err: reason}
}

func storeError(err error) error {
	return &sumu.Error{Op: opRedeem, Kind: sumu.ErrUnavailable, Err: err}
}

// millis is the whole milliseconds of a date: an earlier IssuedAt is refused
// sooner, an earlier ExpiresAt ends sooner.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
