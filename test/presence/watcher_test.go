package presence

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/lead"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/presence"
)

// watch is a watcher until it is killed. What it publishes is a line in a file
// that all watchers append to: the file is the destination.
func watch(name string) error {
	file, err := os.OpenFile(os.Getenv(eventsVar), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	cfg := config(os.Getenv(dynamoVar), nil)
	named := tables(os.Getenv(tablesVar))
	client := dynamodb.NewFromConfig(cfg)
	store, err := dynamostore.NewWithState(client, named)
	if err != nil {
		return err
	}
	feed, err := dynamofeed.New(dynamodbstreams.NewFromConfig(cfg), client, func(o *dynamofeed.Options) {
		var names dynamostore.Options
		named(&names)
		o.Table, o.Positions, o.PollEvery = names.Connections, store, 20*time.Millisecond
	})
	if err != nil {
		return err
	}
	publisher := sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = file.Write(append(line, '\n'))
		return err
	})
	watcher, err := presence.New(store, publisher, func(o *presence.Options) { o.SweepEvery = -1 })
	if err != nil {
		return err
	}
	began(name)
	return lead.Run(context.Background(), store, "presence",
		func(ctx context.Context) error { return watcher.Run(ctx, feed) },
		func(o *lead.Options) { o.Node, o.TTL, o.Poll = name, 3*time.Second, 100*time.Millisecond })
}

// TestKilledWatchers: users come and go while one leading watcher after the
// other is killed, wherever it is. Nothing is lost, doubled or out of order.
func TestKilledWatchers(t *testing.T) {
	w := newWorld(t, components.Dynoxide(t))
	path := filepath.Join(t.TempDir(), "events")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const users = 30
	kills := 2
	if os.Getenv("SUMU_SLOW") == "1" {
		kills = 15
	}
	watchers := map[string]*node{}
	start := func(name string) { watchers[name] = w.node(name, eventsVar+"="+path) }
	start("w0")
	start("w1")
	live := make([]bool, users)
	change := func() {
		i := rand.IntN(users)
		c := sumu.Connection{UserID: fmt.Sprint("user-", i), ID: "c"}
		var err error
		if live[i] = !live[i]; live[i] {
			err = w.store.Put(t.Context(), c)
		} else {
			err = w.store.Delete(t.Context(), c.Ref())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range kills {
		leader := ""
		w.eventually("one of them leads", func() bool {
			r, err := w.store.LoadRecord(t.Context(), "lead", "presence")
			if err != nil {
				t.Fatal(err)
			}
			leader, _, _ = strings.Cut(string(r.Value), "-")
			return watchers[leader] != nil
		})
		seen := len(w.published(path))
		w.eventually("it publishes", func() bool { change(); return len(w.published(path)) > seen+20 })
		watchers[leader].kill(t)
		delete(watchers, leader)
		for range 50 {
			change()
		}
		start(fmt.Sprint("w", i+2))
	}
	w.eventually("presence agrees with the connections", func() bool {
		last := map[string]sumu.Status{}
		for _, e := range w.published(path) {
			last[e.UserID] = e.Status
		}
		for i, is := range live {
			if is != (last[fmt.Sprint("user-", i)] == sumu.Online) {
				return false
			}
		}
		return true
	})
	for _, e := range w.published(path) {
		if err := w.PublishPresence(t.Context(), e); err != nil { // It judges them.
			t.Fatal(err)
		}
	}
	events := 0
	for user, own := range w.events {
		events += len(own)
		if strings.Contains(w.history(user), "++") || strings.Contains(w.history(user), "--") {
			t.Errorf("%s has %q", user, w.history(user))
		}
	}
	t.Logf("%d events and %d duplicates with %d watchers killed", events, w.repeats, kills)
}

// published is what is in the destination, whole lines of it.
func (w *world) published(path string) (events []sumu.PresenceEvent) {
	w.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var e sumu.PresenceEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			w.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}
