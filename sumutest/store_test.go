package sumutest_test

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/memdb"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/sumutest"
)

// plain is a store without any optional interface.
type plain struct{ sumu.Store }

// A program that runs on DynamoDB is tested on its store.
func TestEnvOnAnotherStore(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t, simple, func(o *sumutest.Options) {
		store, err := dynamostore.NewWithState(memdb.New(), func(d *dynamostore.Options) { d.Now = o.Clock.Now })
		if err != nil {
			t.Fatal(err)
		}
		o.Store = store
		o.App = func(a *sumu.AppOptions) { a.MaxConnections = 2 }
	})
	rooms, err := channels.New(env.Store, env.Client, func(o *channels.Options) { o.Open = true })
	if err != nil {
		t.Fatal(err)
	}
	if err := rooms.Attach(env.App); err != nil {
		t.Fatal(err)
	}
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")
	ann.Send(t, `{"action":"join","channel":"room"}`)
	if got := ann.Next(t); !strings.Contains(got, `"channel":"room"`) {
		t.Errorf("the join is answered with %s", got)
	}
	n, err := notify.ToChannels(7, "room")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notify.Send(t.Context(), env.Client, n); err != nil {
		t.Fatal(err)
	}
	if got := ann.NextType(t, "message"); !strings.Contains(got, `"data":7`) {
		t.Errorf("ann gets %s", got)
	}
	env.Notify(t, 8, "bob")
	bob.Expect(t, "8")
	bob.Close(t)
	if live, err := env.Store.HasLive(t.Context(), "bob"); live || err != nil {
		t.Errorf("bob is live: %t, %v", live, err)
	}
}

// What wraps a store may have none of its optional interfaces: what needs none
// works, and what needs one says so.
func TestEnvOnAStoreWithoutCapabilities(t *testing.T) {
	leak.Check(t)
	without := func(o *sumutest.Options) { o.Store = plain{&memstore.Store{Now: o.Clock.Now}} }
	env := sumutest.New(t, simple, without)
	ann := env.Connect(t, "ann")
	env.Notify(t, 1, "ann")
	ann.Expect(t, "1")

	present := func(o *sumutest.Options) { o.Presence = func(*presence.Options) {} }
	wantFailure(t, func(tb testing.TB) { sumutest.New(tb, simple, without, present) }, "PresenceStore")
	wantFailure(t, func(tb testing.TB) {
		sumutest.New(tb, simple, present, func(o *sumutest.Options) {
			store, err := dynamostore.NewWithState(memdb.New())
			if err != nil {
				t.Fatal(err)
			}
			o.Store = store
		})
	}, "ChangeFeed")
	wantFailure(t, func(tb testing.TB) { sumutest.New(tb, func(o *sumutest.Options) { o.Store = nil }) }, "Store")
}

// watched are the changes of a memstore, from elsewhere.
func TestEnvPresenceFromAnotherFeed(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t, simple, func(o *sumutest.Options) {
		store := &memstore.Store{Now: o.Clock.Now}
		o.Store = struct {
			sumu.Store
			sumu.PresenceStore
		}{store, store}
		o.Changes = store
		o.Presence = func(*presence.Options) {}
	})
	ann := env.Connect(t, "ann")
	env.Connect(t, "bob")
	if online := ann.NextType(t, "presence"); !strings.Contains(online, `"user_id":"bob"`) {
		t.Errorf("ann is told %s", online)
	}
}
