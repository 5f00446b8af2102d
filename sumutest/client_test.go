package sumutest_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/sumutest"
)

func TestClientRecordsWhatItAccepts(t *testing.T) {
	client := new(sumutest.Client)
	data := json.RawMessage(`{"n":1}`)
	n := sumu.Notification{ID: "1", Users: []string{"ann", "bob"}, ExcludeUsers: []string{"bob"}, Data: data}
	if err := client.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	n.Users[0], data[2] = "changed", 'x'
	wantEqual(t, "to ann", client.To("ann"), `{"n":1}`)
	wantEqual(t, "to bob", client.To("bob"))

	if err := client.Send(t.Context(), sumu.Notification{ID: "2"}); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("without targets: %v, want ErrInvalid", err)
	}
	client.FailNext(sumu.ErrUnavailable)
	client.LoseNext()
	n = sumu.Notification{Everyone: true, Data: json.RawMessage(`3`)}
	for i, want := range []error{sumu.ErrUnavailable, sumu.ErrUnavailable, nil} {
		if _, err := notify.Send(t.Context(), client, n); !errors.Is(err, want) {
			t.Errorf("send %d: %v, want %v", i, err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := notify.Send(ended, client, n); !errors.Is(err, context.Canceled) {
		t.Errorf("send with a context that has ended: %v", err)
	}
	if sent := client.Sent(); len(sent) != 3 || sent[0].ID != "1" || !sent[1].Everyone || sent[1].ID == sent[2].ID {
		t.Errorf("sent %+v", sent)
	}
}

func TestClientNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := new(sumutest.Client)
		send := func(id string) {
			_ = client.Send(t.Context(), sumu.Notification{ID: id, Everyone: true, Data: json.RawMessage(`1`)})
		}
		send("1")
		time.AfterFunc(9*time.Second, func() { send("2") })
		for _, want := range []string{"1", "2"} {
			if n := client.Next(t); n.ID != want {
				t.Errorf("next is %s, want %s", n.ID, want)
			}
		}
		wantFailure(t, func(tb testing.TB) { client.Next(tb) }, "no notification in 10s; there were 2 before")
	})
}

// Each that is sent is returned by Next once, whoever waits.
func TestClientIsSafeForConcurrentUse(t *testing.T) {
	client := new(sumutest.Client)
	const n = 100
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			_, _ = notify.Send(t.Context(), client, sumu.Notification{Everyone: true, Data: json.RawMessage(`1`)})
		})
		wg.Go(func() {
			id := client.Next(t).ID
			mu.Lock()
			defer mu.Unlock()
			seen[id] = true
		})
	}
	wg.Wait()
	if len(seen) != n || len(client.Sent()) != n {
		t.Errorf("%d sent, %d of them seen; want %d", len(client.Sent()), len(seen), n)
	}
}

func TestClock(t *testing.T) {
	start := time.Now().Truncate(time.Second)
	clock := new(sumutest.Clock)
	first := clock.Now()
	if first.Before(start) || first.After(time.Now()) || first.Nanosecond() != 0 {
		t.Errorf("it begins at %v; want the present second", first)
	}
	if got := clock.Advance(90 * time.Minute); got != first.Add(90*time.Minute) || clock.Now() != got {
		t.Errorf("moved to %v and stands at %v", got, clock.Now())
	}
	then := time.Date(2026, 11, 20, 12, 0, 0, 7, time.UTC)
	clock = sumutest.NewClock(then)
	if got := clock.Advance(-time.Nanosecond); got != then.Add(-1) {
		t.Errorf("moved back to %v", got)
	}
}
