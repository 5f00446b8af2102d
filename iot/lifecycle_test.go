package iot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/iot"
)

func newLifecycle(t *testing.T, store interface {
	sumu.Store
	sumu.StateStore
}, optFns ...func(*iot.LifecycleOptions),
) *iot.Lifecycle {
	t.Helper()
	l, err := iot.NewLifecycle(store, store, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func apply(t *testing.T, l *iot.Lifecycle, events ...iot.Event) {
	t.Helper()
	for _, e := range events {
		if err := l.Apply(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func live(t *testing.T, s sumu.Store, user string) bool {
	t.Helper()
	is, err := s.HasLive(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestLifecycleOrder(t *testing.T) {
	id, start := "ann"+random, time.Now().Add(-10*time.Hour).Truncate(time.Millisecond)
	on := func(version int64, after time.Duration) iot.Event {
		return iot.Event{ClientID: id, Connected: true, Version: version, At: start.Add(after)}
	}
	off := func(version int64, after time.Duration) iot.Event {
		return iot.Event{ClientID: id, Version: version, At: start.Add(after)}
	}
	for name, tt := range map[string]struct {
		events []iot.Event
		live   bool
	}{
		"connected":                     {[]iot.Event{on(0, 0)}, true},
		"disconnected":                  {[]iot.Event{on(0, 0), off(0, time.Second)}, false},
		"the end came first":            {[]iot.Event{off(0, time.Second), on(0, 0)}, false},
		"both at one time":              {[]iot.Event{off(3, 0), on(3, 0)}, false},
		"a clock is behind":             {[]iot.Event{on(1, 0), off(1, -time.Minute)}, false},
		"again":                         {[]iot.Event{on(0, 0), off(0, time.Second), on(1, time.Minute)}, true},
		"again, before it was known":    {[]iot.Event{on(1, time.Minute), off(0, time.Minute), on(0, 0)}, true},
		"a late duplicate":              {[]iot.Event{on(1, 0), off(1, time.Second), on(1, 0), off(0, 0)}, false},
		"the versions restart":          {[]iot.Event{on(7, 0), off(7, time.Second), on(0, 61*time.Minute)}, true},
		"a duplicate after the restart": {[]iot.Event{on(7, 0), on(0, 61*time.Minute), off(7, time.Second), on(7, 0)}, true},
		"a long connection ends":        {[]iot.Event{on(7, 0), off(7, 9*time.Hour)}, false},
		"its beginning comes again":     {[]iot.Event{off(7, 9*time.Hour), on(7, 0)}, false},
		"its end was lost":              {[]iot.Event{on(7, 0), on(0, 9*time.Hour)}, true},
	} {
		store := new(memstore.Store)
		apply(t, newLifecycle(t, store), tt.events...)
		if got := live(t, store, "ann"); got != tt.live {
			t.Errorf("%s: live is %v", name, got)
		}
	}
}

func TestLifecycleRow(t *testing.T) {
	store := new(memstore.Store)
	at := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	l := newLifecycle(t, store, func(o *iot.LifecycleOptions) { o.Endpoint, o.RowTTL = "iot", 2*time.Hour })
	id := "auth0=7C7" + random
	body := fmt.Sprintf(`{"clientId":%q,"timestamp":%d,"eventType":"connected","versionNumber":4}`, id, at.UnixMilli())
	if err := l.Handle(t.Context(), []byte(body)); err != nil {
		t.Fatal(err)
	}
	got, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "auth0|7", ConnectionID: id})
	if err != nil {
		t.Fatal(err)
	}
	if got.Endpoint != "iot" || !got.ConnectedAt.Equal(at) || !got.DeleteAt.Equal(at.Add(2*time.Hour).Truncate(time.Second)) || !got.AuthExpiresAt.IsZero() {
		t.Errorf("row is %+v", got)
	}
	if err := l.Handle(t.Context(), []byte(`{"clientId":"x"}`)); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// Events of an account's other clients, and of those that only look like ours,
// write nothing and are no errors.
func TestLifecycleIgnoresOthers(t *testing.T) {
	id := "ann" + random
	const role = "AROAEXAMPLEID1234567"
	for name, tt := range map[string]struct {
		id, principal string
		live          bool
	}{
		"a device":         {"thermostat-7", role + ":thermostat-7", false},
		"ours":             {id, role + ":" + id, true},
		"with an account":  {id, "123456789012/" + role + ":" + id + "/" + role + ":" + id, true},
		"another, with it": {id, "123456789012/AROAOTHER:" + id + "/AROAOTHER:" + id, false},
		"another role":     {id, "AROAOTHER:" + id, false},
		"another session":  {id, role + ":bob" + random, false},
		"a certificate":    {id, strings.Repeat("0a", 32), false},
		"no principal":     {id, "", false},
		"a role's prefix":  {id, role + ":" + id + "x", false},
		"a long client id": {strings.Repeat("a", 60) + random, role + ":" + strings.Repeat("a", 37) + random, true},
	} {
		store := new(memstore.Store)
		l := newLifecycle(t, store, func(o *iot.LifecycleOptions) { o.RoleID = role })
		apply(t, l, iot.Event{ClientID: tt.id, Connected: true, At: time.Now(), Principal: tt.principal})
		user, _ := iot.UserOf(tt.id)
		if user == "" {
			user = "thermostat"
		}
		if got := live(t, store, user); got != tt.live {
			t.Errorf("%s: live is %v", name, got)
		}
	}
}

func TestLifecycleOldAndFuture(t *testing.T) {
	store := new(memstore.Store)
	l := newLifecycle(t, store)
	id := "ann" + random
	apply(t, l, iot.Event{ClientID: id, Connected: true, At: time.Now().Add(-25 * time.Hour)})
	if live(t, store, "ann") {
		t.Error("an event of yesterday made a row")
	}
	err := l.Apply(t.Context(), iot.Event{ClientID: id, Connected: true, At: time.Now().Add(time.Hour)})
	if !errors.Is(err, sumu.ErrInvalid) || live(t, store, "ann") {
		t.Errorf("an event of the future: %v", err)
	}
}

// brokenRecords cannot be written: others are always first.
type brokenRecords struct{ memstore.Store }

func (*brokenRecords) SaveRecord(context.Context, sumu.Record) error {
	return &sumu.Error{Kind: sumu.ErrConflict}
}

func TestLifecycleConflict(t *testing.T) {
	e := iot.Event{ClientID: "ann" + random, Connected: true, At: time.Now()}
	err := newLifecycle(t, new(brokenRecords)).Apply(t.Context(), e)
	if !errors.Is(err, sumu.ErrConflict) || !sumu.Retryable(err) || !strings.HasPrefix(err.Error(), "lifecycle ann-") {
		t.Errorf("got %v", err)
	}
	store := new(memstore.Store)
	err = store.SaveRecord(t.Context(), sumu.Record{Kind: "iot", Key: e.ClientID, Value: []byte("?"), Rev: 1, DeleteAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if err := newLifecycle(t, store).Apply(t.Context(), e); !errors.Is(err, sumu.ErrUnavailable) || live(t, store, "ann") {
		t.Errorf("another's record: %v", err)
	}
}

func TestNewLifecycleRefuses(t *testing.T) {
	_, err := iot.NewLifecycle(nil, nil, func(o *iot.LifecycleOptions) { o.RowTTL, o.RoleID = time.Minute, "arn:aws:iam::1:role/x" })
	for _, want := range []string{"a Store", "a StateStore", "RowTTL", "RoleID"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

// Refused connections and subscriptions have events too, which a rule with a
// wildcard hands on: they say nothing of who is connected, and are no errors.
func TestLifecycleIgnoresOtherTypes(t *testing.T) {
	store := new(memstore.Store)
	l := newLifecycle(t, store)
	id := "ann" + random
	apply(t, l, iot.Event{ClientID: id, Connected: true, At: time.Now()})
	for _, body := range []string{ // As documented ("Lifecycle events", read 2026-12).
		`{"clientId":%q,"timestamp":%d,"eventType":"connect_failed","connectFailureReason":"AUTHORIZATION_FAILED",
			"principalIdentifier":"12345678901234567890123456789012","sessionIdentifier":"a4666d2a7d844ae4ac5d7b38c9cb7967","ipAddress":"192.0.2.0"}`,
		`{"clientId":%q,"timestamp":%d,"eventType":"subscribed","sessionIdentifier":"00000000-0000-0000-0000-000000000000",
			"principalIdentifier":"000000000000/ABCDEFGHIJKLMNOPQRSTU:some-user/ABCDEFGHIJKLMNOPQRSTU:some-user","topics":["foo/bar"]}`,
		`{"clientId":%q,"timestamp":%d,"eventType":"unsubscribed","sessionIdentifier":"00000000-0000-0000-0000-000000000000","topics":["foo/bar"]}`,
		`{"clientId":%q,"timestamp":%d,"eventType":"of_next_year","versionNumber":"?"}`,
	} {
		if err := l.Handle(t.Context(), fmt.Appendf(nil, body, id, time.Now().UnixMilli())); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if !live(t, store, "ann") {
			t.Fatalf("%s: ann's row is gone", body)
		}
	}
}
