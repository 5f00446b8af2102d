package authorizer_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func withTicket(ticket string) *sumu.ConnectRequest {
	return &sumu.ConnectRequest{ConnectionID: "c1", Query: map[string][]string{"ticket": {ticket}}}
}

func requireBadTicket(t *testing.T, name string, id sumu.Identity, err error) {
	t.Helper()
	if !errors.Is(err, authorizer.ErrTicket) || !errors.Is(err, sumu.ErrUnauthorized) || sumu.Retryable(err) || id.UserID != "" {
		t.Errorf("%s: %+v, %v, want unauthorized", name, id, err)
	}
}

func TestTicketIsTheIdentity(t *testing.T) {
	full := sumu.Identity{
		UserID:    "Ann \"é😀\" Lee",
		ExpiresAt: testNow.Add(time.Hour),
		IssuedAt:  testNow.Add(-time.Hour),
		Grants: sumu.Grants{
			{Pattern: "room.*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}},
			{Pattern: "", Verbs: []sumu.Verb{sumu.VerbBackend}},
		},
		Claims: map[string]string{"org": "acme", "n": "7", "": "x\n"},
	}
	for name, id := range map[string]sumu.Identity{"full": full, "bare": {UserID: "ann"}} {
		k := newTicketing(t)
		got, err := k.Authorize(t.Context(), withTicket(k.issue(t, id)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !got.ExpiresAt.Equal(id.ExpiresAt) || !got.IssuedAt.Equal(id.IssuedAt) || got.ExpiresAt.IsZero() != id.ExpiresAt.IsZero() || got.IssuedAt.IsZero() != id.IssuedAt.IsZero() {
			t.Errorf("%s: dates %v and %v", name, got.ExpiresAt, got.IssuedAt)
		}
		got.ExpiresAt, got.IssuedAt = id.ExpiresAt, id.IssuedAt
		if !reflect.DeepEqual(got, id) {
			t.Errorf("%s: %+v, want %+v", name, got, id)
		}
	}
}

func TestTicketsAreRandomAndNotStored(t *testing.T) {
	k := newTicketing(t)
	seen, values := make(map[string]bool), make(map[[2]byte]bool)
	for range 100 {
		ticket := k.issue(t, sumu.Identity{UserID: "ann"})
		if seen[ticket] || !regexp.MustCompile(`^[A-Za-z0-9_-]{32}$`).MatchString(ticket) {
			t.Fatalf("ticket %q", ticket)
		}
		seen[ticket] = true
		r := k.store.saved[len(k.store.saved)-1]
		sum := sha256.Sum256([]byte(ticket))
		if r.Kind != "ticket" || r.Key != base64.RawURLEncoding.EncodeToString(sum[:]) || r.Rev != 1 {
			t.Errorf("record %s %s, rev %d", r.Kind, r.Key, r.Rev)
		}
		raw, err := base64.RawURLEncoding.DecodeString(ticket)
		if err != nil || len(raw) < 16 {
			t.Fatalf("%d random bytes, %v", len(raw), err)
		}
		for i, b := range raw {
			values[[2]byte{byte(i), b}] = true
		}
		for _, shown := range []string{ticket, ticket[:8], hex.EncodeToString(raw[:4]), string(raw[:4])} {
			if strings.Contains(r.Key+string(r.Value), shown) {
				t.Errorf("the record shows the ticket: %+v", r)
			}
		}
		// Kept to the second, and not shorter than it counts.
		if r.DeleteAt.Nanosecond() != 0 || r.DeleteAt.Before(k.clock.Add(30*time.Second)) || r.DeleteAt.After(k.clock.Add(31*time.Second)) {
			t.Errorf("DeleteAt %v, now %v", r.DeleteAt, k.clock)
		}
	}
	// Each byte of 24 takes about 83 of 256 values in 100 draws.
	if len(values) < 24*60 {
		t.Errorf("the bytes of 100 tickets take %d values; they are not random", len(values))
	}
}

func TestTicketCountsOnce(t *testing.T) {
	k := newTicketing(t)
	ticket, other := k.issue(t, sumu.Identity{UserID: "ann"}), k.issue(t, sumu.Identity{UserID: "bob"})
	if id, err := k.Authorize(t.Context(), withTicket(ticket)); err != nil || id.UserID != "ann" {
		t.Fatalf("%+v, %v", id, err)
	}
	for range 3 {
		id, err := k.Authorize(t.Context(), withTicket(ticket))
		requireBadTicket(t, "used", id, err)
		requireSilent(t, err, ticket)
	}
	if id, err := k.Authorize(t.Context(), withTicket(other)); err != nil || id.UserID != "bob" {
		t.Errorf("another ticket: %+v, %v", id, err)
	}
}

// All of them read the record before any removes it.
func TestOneOfManyConcurrentRequestsWins(t *testing.T) {
	k := newTicketing(t)
	ticket := k.issue(t, sumu.Identity{UserID: "ann"})
	const n = 50
	var all sync.WaitGroup
	all.Add(n)
	k.store.onLoad = func() { all.Done(); all.Wait() }
	var won atomic.Int32
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			id, err := k.Authorize(t.Context(), withTicket(ticket))
			if err == nil && id.UserID == "ann" {
				won.Add(1)
				return
			}
			requireBadTicket(t, "loser", id, err)
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d requests were let in with one ticket", won.Load())
	}
}

func TestTicketsExpire(t *testing.T) {
	for _, tc := range []struct {
		life, after time.Duration
		expires     time.Duration // of the identity; 0: it does not
		ok          bool
	}{
		{0, 30*time.Second - time.Millisecond, 0, true},
		{0, 30 * time.Second, 0, false}, // The store still has it.
		{0, time.Hour, 0, false},
		{time.Minute, 59 * time.Second, 0, true},
		{time.Minute, 60 * time.Second, 0, false},
		{time.Second, 999 * time.Millisecond, 0, true},
		{time.Minute, 10 * time.Second, 11 * time.Second, true},
		{time.Minute, 11 * time.Second, 11 * time.Second, false},
	} {
		k := newTicketing(t, func(o *authorizer.TicketOptions) { o.Life = tc.life })
		k.clock = testNow.Add(456 * time.Millisecond)
		who := sumu.Identity{UserID: "ann"}
		if tc.expires > 0 {
			who.ExpiresAt = k.clock.Add(tc.expires)
		}
		ticket := k.issue(t, who)
		k.clock = k.clock.Add(tc.after)
		id, err := k.Authorize(t.Context(), withTicket(ticket))
		if tc.ok {
			if err != nil || id.UserID != "ann" {
				t.Errorf("%+v: %v", tc, err)
			}
			continue
		}
		requireBadTicket(t, fmt.Sprintf("%+v", tc), id, err)
	}
}

func TestBadTickets(t *testing.T) {
	k := newTicketing(t)
	good := k.issue(t, sumu.Identity{UserID: "ann"})
	for name, ticket := range map[string]string{
		"unknown":   strings.Repeat("A", 32),
		"cut":       good[:31],
		"longer":    good + "A",
		"1 MB":      strings.Repeat("A", 1<<20),
		"its hash":  k.store.saved[0].Key,
		"other":     good[:31] + string(good[31]^1),
		"not ASCII": strings.Repeat("é", 16),
	} {
		id, err := k.Authorize(t.Context(), withTicket(ticket))
		requireBadTicket(t, name, id, err)
		requireSilent(t, err, ticket)
	}
	if k.store.reads != 3 {
		t.Errorf("%d reads; those of another length are not worth one", k.store.reads)
	}
	for name, r := range map[string]*sumu.ConnectRequest{
		"nothing":      {},
		"empty":        withTicket(""),
		"another name": {Query: map[string][]string{"Ticket": {good}}},
	} {
		_, err := k.Authorize(t.Context(), r)
		if !errors.Is(err, authorizer.ErrNoToken) || !errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if id, err := k.Authorize(t.Context(), withTicket(good)); err != nil || id.UserID != "ann" {
		t.Errorf("the good one: %v", err)
	}
}

func TestTicketsFromAnotherPlace(t *testing.T) {
	k := newTicketing(t, func(o *authorizer.TicketOptions) {
		o.Source = authorizer.FromSubprotocol("ticket.")
	})
	ticket := k.issue(t, sumu.Identity{UserID: "ann"})
	r := &sumu.ConnectRequest{Header: map[string][]string{"Sec-Websocket-Protocol": {"sumu, ticket." + ticket}}}
	if id, err := k.Authorize(t.Context(), r); err != nil || id.UserID != "ann" {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestFaultOfTheStoreIsNoRefusal(t *testing.T) {
	k := newTicketing(t)
	ticket := k.issue(t, sumu.Identity{UserID: "ann"})
	fault := errors.New("table is gone")
	check := func(name string, id sumu.Identity, err error) {
		t.Helper()
		if errors.Is(err, sumu.ErrUnauthorized) || !errors.Is(err, sumu.ErrUnavailable) || id.UserID != "" {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	k.store.err = fault
	id, err := k.Authorize(t.Context(), withTicket(ticket))
	check("read fails", id, err)
	if _, err := k.Issue(t.Context(), sumu.Identity{UserID: "ann"}); !errors.Is(err, fault) {
		t.Errorf("Issue = %v", err)
	}
	k.store.err = nil
	k.store.onLoad = func() { k.store.err = fault }
	id, err = k.Authorize(t.Context(), withTicket(ticket))
	check("removal fails", id, err)
	k.store.onLoad, k.store.err = nil, nil
	for key, r := range k.store.records {
		r.Value = []byte(`{"user":"hunter2`)
		k.store.records[key] = r
	}
	id, err = k.Authorize(t.Context(), withTicket(ticket))
	check("record is broken", id, err)
	requireSilent(t, err, ticket, "hunter2")
}

func TestIssueRefuses(t *testing.T) {
	k := newTicketing(t)
	for name, tc := range map[string]struct {
		id   sumu.Identity
		want error
	}{
		"nobody":        {sumu.Identity{}, sumu.ErrInvalid},
		"long user id":  {sumu.Identity{UserID: strings.Repeat("x", sumu.MaxUserID+1)}, sumu.ErrInvalid},
		"broken UTF-8":  {sumu.Identity{UserID: "\xff"}, sumu.ErrInvalid},
		"has expired":   {sumu.Identity{UserID: "ann", ExpiresAt: k.clock}, sumu.ErrUnauthorized},
		"bad grants":    {sumu.Identity{UserID: "ann", Grants: sumu.Grants{{Pattern: "a b", Verbs: []sumu.Verb{sumu.VerbJoin}}}}, sumu.ErrInvalid},
		"does not fit":  {sumu.Identity{UserID: "ann", Claims: map[string]string{"a": strings.Repeat("x", sumu.MaxRecordValue)}}, sumu.ErrTooLarge},
		"fits, at most": {sumu.Identity{UserID: "ann", Claims: map[string]string{"a": strings.Repeat("\x01", authorizer.MaxClaims)}}, nil},
	} {
		ticket, err := k.Issue(t.Context(), tc.id)
		if !errors.Is(err, tc.want) || (ticket == "") != (err != nil) {
			t.Errorf("%s: %q, %v, want %v", name, ticket, err, tc.want)
		}
	}
	if len(k.store.saved) != 1 {
		t.Errorf("%d records were saved", len(k.store.saved))
	}
}

func TestNewTicketsRefusesBadOptions(t *testing.T) {
	_, err := authorizer.NewTickets(nil, func(o *authorizer.TicketOptions) {
		o.Life, o.Source = time.Hour, authorizer.FromCookie("")
	})
	for _, want := range []string{"StateStore", "Life", "no name", "cookie"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
	for _, life := range []time.Duration{-1, 1, time.Second - 1, 10*time.Minute + 1} {
		if _, err := authorizer.NewTickets(newFakeState(time.Now), func(o *authorizer.TicketOptions) { o.Life = life }); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("Life %v: %v", life, err)
		}
	}
}
