package presence_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/presence"
)

// queried is a store in which ann is online, bob was, and carl never.
func queried(t *testing.T, s modelStore, now *time.Time) {
	t.Helper()
	w, err := presence.New(s, new(recorder), func(o *presence.Options) { o.Now = func() time.Time { return *now } })
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ann", "bob"} {
		if err := s.Put(t.Context(), sumu.Connection{UserID: user, ID: "c"}); err != nil {
			t.Fatal(err)
		}
	}
	observe(t, w, "ann", "bob")
	*now = now.Add(time.Minute)
	if err := s.Delete(t.Context(), sumu.ConnectionRef{UserID: "bob", ConnectionID: "c"}); err != nil {
		t.Fatal(err)
	}
	observe(t, w, "bob", "carl")
}

func TestQueries(t *testing.T) {
	leak.Check(t)
	testQueries(t, new(memstore.Store))
}

func TestQueriesOnDynoxide(t *testing.T) {
	endpoint := components.Dynoxide(t)
	leak.Check(t)
	s, err := newTables(t, endpoint).empty(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	testQueries(t, s)
}

func testQueries(t *testing.T, s modelStore) {
	came := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	now := came
	queried(t, s, &now)
	ann := presence.User{UserID: "ann", Status: sumu.Online, Since: came, Version: 1}
	bob := presence.User{UserID: "bob", Status: sumu.Offline, Since: came.Add(time.Minute), Version: 2}
	got, err := presence.Online(t.Context(), s, "bob", "ann", "nobody", "carl", "ann")
	want := []presence.User{
		bob, ann,
		{UserID: "nobody", Status: sumu.Offline},
		{UserID: "carl", Status: sumu.Offline},
		ann,
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Online returns %+v, %v, want %+v", got, err, want)
	}
	if !got[1].Online() || got[0].Online() {
		t.Error("ann is offline, or bob online")
	}
	if got, err := presence.Online(t.Context(), s); err != nil || len(got) != 0 {
		t.Errorf("Online of nobody returns %+v, %v", got, err)
	}
	var who []presence.User
	for u, err := range presence.WhoIsOnline(t.Context(), s, sumu.Segment{}) {
		if err != nil {
			t.Fatal(err)
		}
		who = append(who, u)
	}
	if !slices.Equal(who, []presence.User{ann}) {
		t.Errorf("WhoIsOnline yields %+v", who)
	}
	for range presence.WhoIsOnline(t.Context(), s, sumu.Segment{After: sumu.ConnectionRef{UserID: "ann"}}) {
		// Behind ann there is nobody who is online.
		t.Error("WhoIsOnline yields ann behind ann")
	}
}

// faltering is a store whose reads of some users fail.
type faltering struct{ *memstore.Store }

func (f faltering) Presence(ctx context.Context, userID string) (sumu.PresenceRow, error) {
	if userID == "down" {
		return sumu.PresenceRow{}, errDown
	}
	return f.Store.Presence(ctx, userID)
}

func (f faltering) PresenceRows(context.Context, sumu.Segment) iter.Seq2[sumu.PresenceRow, error] {
	return func(yield func(sumu.PresenceRow, error) bool) {
		if yield(sumu.PresenceRow{UserID: "ann", Status: sumu.Online}, nil) {
			yield(sumu.PresenceRow{}, errDown)
		}
	}
}

func TestQueriesThatFail(t *testing.T) {
	s := faltering{new(memstore.Store)}
	got, err := presence.Online(t.Context(), s, "ann", "down", "")
	if !errors.Is(err, errDown) || !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("the error is %v", err)
	}
	if want := []presence.User{{UserID: "ann", Status: sumu.Offline}, {UserID: "down"}, {}}; !slices.Equal(got, want) {
		t.Errorf("Online returns %+v, want %+v", got, want)
	}
	var users, errs int
	for _, err := range presence.WhoIsOnline(t.Context(), s, sumu.Segment{}) {
		users++
		if errors.Is(err, errDown) {
			errs++
		}
	}
	if users != 2 || errs != 1 {
		t.Errorf("WhoIsOnline yields %d, %d errors", users, errs)
	}
	_, err = presence.Online(t.Context(), nil, "ann")
	wantKind(t, err, sumu.ErrInvalid, "PresenceStore")
	for _, err := range presence.WhoIsOnline(t.Context(), nil, sumu.Segment{}) {
		wantKind(t, err, sumu.ErrInvalid, "PresenceStore")
	}
}

func ExampleOnline() {
	ctx, store := context.Background(), new(memstore.Store)
	_ = store.SavePresence(ctx, sumu.PresenceRow{UserID: "ann", Status: sumu.Online, Version: 1, Seq: 1})
	_ = store.SavePresence(ctx, sumu.PresenceRow{
		UserID: "bob", Status: sumu.Offline, Version: 2, Seq: 1,
		At: time.Date(2026, 11, 20, 18, 30, 0, 0, time.UTC),
	})
	users, err := presence.Online(ctx, store, "ann", "bob")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, u := range users {
		if u.Online() {
			fmt.Println(u.UserID, "is online")
		} else {
			fmt.Println(u.UserID, "was last seen at", u.Since.Format(time.TimeOnly))
		}
	}
	// Output:
	// ann is online
	// bob was last seen at 18:30:00
}

func ExampleWhoIsOnline() {
	ctx, store := context.Background(), new(memstore.Store)
	_ = store.SavePresence(ctx, sumu.PresenceRow{UserID: "ann", Status: sumu.Online, Version: 1, Seq: 1})
	_ = store.SavePresence(ctx, sumu.PresenceRow{UserID: "bob", Status: sumu.Offline, Version: 2, Seq: 1})
	for u, err := range presence.WhoIsOnline(ctx, store, sumu.Segment{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(u.UserID)
	}
	// Output: ann
}
