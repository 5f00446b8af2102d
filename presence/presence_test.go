package presence_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

func TestNewReportsEveryBadOption(t *testing.T) {
	_, err := presence.New(nil, nil, func(o *presence.Options) {
		o.Attempts = 1
		o.Concurrency = -1
		o.RetryMin = time.Minute
		o.RetryMax = time.Second
	})
	for _, what := range []string{"Store", "PresencePublisher", "Attempts", "Concurrency", "RetryMax"} {
		wantKind(t, err, sumu.ErrInvalid, what)
	}
	if err != nil && strings.Contains(err.Error(), "SweepEvery") {
		t.Errorf("a default is reported as bad: %v", err)
	}
	_, err = presence.New(new(memstore.Store), new(recorder), func(o *presence.Options) { o.RetryMin = time.Hour })
	if err != nil {
		t.Errorf("RetryMin above the default of RetryMax: %v", err)
	}
}

func ExampleNew() {
	ctx := context.Background()
	store := new(memstore.Store)
	toScreen := sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		fmt.Println(e.ID(), e.Status)
		return nil
	})
	watcher, err := presence.New(store, toScreen)
	if err != nil {
		fmt.Println(err)
		return
	}

	// One event for two devices, however often the changes are observed.
	for _, device := range []string{"phone", "laptop"} {
		_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: device})
		_, err = watcher.Observe(ctx, sumu.Change{UserID: "ann"}, sumu.Change{UserID: "ann"})
		fmt.Println(device, err)
	}
	for _, device := range []string{"phone", "laptop"} {
		_ = store.Delete(ctx, sumu.ConnectionRef{UserID: "ann", ConnectionID: device})
		_, err = watcher.Observe(ctx, sumu.Change{UserID: "ann"})
		fmt.Println(device, err)
	}
	// Output:
	// ann:1 ONLINE
	// phone <nil>
	// laptop <nil>
	// phone <nil>
	// ann:2 OFFLINE
	// laptop <nil>
}

func ExampleWatcher_Run() {
	store := new(memstore.Store)
	events := make(chan string)
	toChannel := sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		events <- fmt.Sprint(e.ID(), " ", e.Status)
		return nil
	})
	watcher, err := presence.New(store, toChannel, func(o *presence.Options) {
		o.Grace = 50 * time.Millisecond // A page that reloads is not gone.
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- watcher.Run(ctx, store) }()

	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "phone"})
	fmt.Println(<-events)
	_ = store.Delete(ctx, sumu.ConnectionRef{UserID: "ann", ConnectionID: "phone"})
	fmt.Println(<-events)
	cancel()
	fmt.Println(<-ended)
	// Output:
	// ann:1 ONLINE
	// ann:2 OFFLINE
	// <nil>
}
