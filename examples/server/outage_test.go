package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// TestOutage: whatever is down, and for how long: what was accepted is delivered
// to every socket, and only what is bad is a dead letter.
func TestOutage(t *testing.T) {
	t.Parallel()
	o := newCutOff(t)
	long, bad := 30*time.Second, 0
	a, b := o.start("a"), o.start("b")
	o.sockets(a, 10)
	o.accepted(10, a, b)
	if os.Getenv("SUMU_SLOW") == "1" {
		// Bad ones in a batch are no outage. What was beside them is returned,
		// and moved when that happens too often: which takes its minutes.
		long, bad = 5*time.Minute, 20
		o.plant(bad)
	}

	// The tables are out of reach; a node is killed meanwhile and started again.
	o.store.Cut()
	o.accepted(73, a, b)
	lasts(long / 3)
	o.restart(b)
	o.until("b answers", func() bool { return b.health() != "" })
	o.accepted(73, a, b)
	for _, p := range []*process{a, b} {
		if got := p.health(); got == "ready\n" {
			t.Errorf("%s says that it is ready without its tables", p.name)
		}
		r := wstest.Request(t, p.url+"/ws")
		r.Header.Set("Authorization", "Bearer "+o.token("late"))
		if resp, body := wstest.Send(t, r, nil).Response(); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s answers a client with %s %s", p.name, resp.Status, body)
		}
	}
	lasts(long * 2 / 3)
	o.store.Mend()
	o.until("b is ready", func() bool { return b.health() == "ready\n" })
	o.settle(8*time.Minute, bad)

	// The queue is: nothing is accepted, nothing is lost.
	o.accepted(20, a, b)
	o.queue.Cut()
	if got := o.post(2, a, b); got[http.StatusServiceUnavailable] != 2 {
		t.Errorf("POST /notify without a queue: %v", got)
	}
	lasts(long / 10)
	// And both are, the queue for less time.
	o.store.Cut()
	lasts(long / 10)
	o.queue.Mend()
	o.until("the queue takes what is posted", func() bool { return o.post(1, a)[http.StatusAccepted] == 1 })
	o.accepted(20, a, b)
	lasts(long / 10)
	o.store.Mend()
	o.plant(20)
	o.settle(8*time.Minute, bad+20)
}

// TestBadStore: tables that are slow, refuse every second connection, answer
// nothing at all, or come and go in the middle of a batch, lose nothing either.
func TestBadStore(t *testing.T) {
	if os.Getenv("SUMU_SLOW") != "1" {
		t.Skip("takes minutes; run it with: make test-slow")
	}
	t.Parallel()
	o := newCutOff(t)
	a, b := o.start("a"), o.start("b")
	o.sockets(a, 10)
	o.plant(20)
	for _, x := range []components.Toxic{
		{Kind: "latency", Stream: "downstream", Attributes: map[string]int{"latency": 500, "jitter": 300}, Share: 1}, // A lease of 3 s can just be kept.
		{Kind: "reset_peer", Stream: "downstream", Attributes: map[string]int{"timeout": 0}, Share: 0.5},
		{Kind: "timeout", Stream: "upstream", Attributes: map[string]int{"timeout": 0}, Share: 1},
		{Kind: "limit_data", Stream: "downstream", Attributes: map[string]int{"bytes": 900}, Share: 0.8},
	} {
		o.accepted(10, a, b)
		o.store.Poison(x)
		o.accepted(20, a, b)
		lasts(20 * time.Second)
		o.store.Heal()
		o.accepted(5, a, b)
	}
	for range 10 {
		o.accepted(10, a, b)
		o.store.Cut()
		o.accepted(2, a, b)
		lasts(2 * time.Second)
		o.restart(b)
		o.store.Mend()
		lasts(time.Second)
		o.until("b answers", func() bool { return b.health() != "" })
	}
	o.settle(15*time.Minute, 20)
}

// TestDeadHands: what a node that is killed had in its hands, another has within
// the visibility of its queue.
func TestDeadHands(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	posts, answers := make(chan time.Time, 100), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		posts <- time.Now()
		select {
		case <-answers:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	a := f.start("a")
	err := f.store.Put(t.Context(), sumu.Connection{
		UserID: "ann", ID: "c1", Endpoint: slow.URL + "/prod", ConnectedAt: time.Now(), DeleteAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if status := a.notify(notifySecret, `{"users":["ann"],"data":"Hello"}`); status != 202 {
		t.Fatalf("POST /notify: %d", status)
	}
	<-posts
	killed := time.Now()
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-a.ended
	close(answers)
	f.start("b")
	select {
	case at := <-posts:
		t.Logf("posted again %v after the node was killed", at.Sub(killed).Round(time.Millisecond))
	case <-time.After(40 * time.Second):
		t.Error("40 s after the node was killed nobody has posted what it had in its hands")
	}
}
