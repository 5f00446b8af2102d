package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// crowd opens 30 sockets of 10 users over the nodes: user0's are all at the
// first one.
func (w *world) crowd(t *testing.T) {
	t.Helper()
	for i := range 30 {
		w.connect(t, w.nodes[i%10%2], fmt.Sprint("user", i%10))
	}
}

// lose ends sockets whose rows remain.
func (w *world) lose(t *testing.T, lost []*socket) {
	t.Helper()
	for _, n := range w.nodes {
		n.rows.loses.Store(true)
		defer n.rows.loses.Store(false)
	}
	for _, s := range lost {
		s.close()
	}
	for range lost {
		select {
		case <-w.ended:
		case <-time.After(limit):
			t.Fatal("a socket does not end")
		}
	}
}

// push sends a notification and waits until the queue is empty.
func (w *world) push(t *testing.T, p *process, id string, targets int, n sumu.Notification, err error) sumu.Result {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	client, err := sqsnotify.New(w.sqs, w.queueURL)
	if err != nil {
		t.Fatal(err)
	}
	n.ID = id
	if _, err := notify.Send(t.Context(), client, n); err != nil {
		t.Fatal(err)
	}
	eventually(t, id+" is dealt with", func() bool {
		r := sum(id, p)
		return r.Delivered+r.Gone+r.Failed >= targets && w.empty(t, w.queueURL)
	})
	return sum(id, p)
}

func ids(sockets []*socket) (list []string) {
	for _, s := range sockets {
		list = append(list, s.row.ID)
	}
	slices.Sort(list)
	return list
}

// Rows without sockets are pruned by the first push that finds them; nobody else
// notices.
func TestGoneIsPruned(t *testing.T) {
	w := newWorld(t, 2)
	w.crowd(t)
	var lost, live []*socket
	for i, s := range w.sockets {
		if s.row.UserID == "user0" || i%5 == 1 {
			lost = append(lost, s)
		} else {
			live = append(live, s)
		}
	}
	w.lose(t, lost)
	if got, want := w.rows(t), ids(w.sockets); !slices.Equal(got, want) {
		t.Fatalf("%d rows are left, want %d", len(got), len(want))
	}
	p := w.start(t, -1, func(o *pusher.Options, _ *pusher.WorkerOptions, _ *sqsnotify.PollOptions) { o.PruneAge = -1 })

	n, err := notify.ToUsers(labelled{"user"}, "user0")
	if r := w.push(t, p, "user", 3, n, err); r.Targets != 3 || r.Gone != 3 {
		t.Errorf("to a user without sockets: %+v", r)
	}
	if got := w.rows(t); len(got) != 27 {
		t.Errorf("%d rows, want 27", len(got))
	}
	n, err = notify.ToEveryone(labelled{"first"})
	if r := w.push(t, p, "first", 27, n, err); r.Targets != 27 || r.Gone != len(lost)-3 || r.Delivered != len(live) {
		t.Errorf("to everyone: %+v, want %d gone and %d delivered", r, len(lost)-3, len(live))
	}
	if got, want := w.rows(t), ids(live); !slices.Equal(got, want) {
		t.Errorf("rows are %v, want those of the %d live sockets", got, len(want))
	}
	n, err = notify.ToEveryone(labelled{"second"})
	if r := w.push(t, p, "second", len(live), n, err); r.Targets != len(live) || r.Delivered != len(live) {
		t.Errorf("to everyone, once more: %+v", r)
	}
	p.end(t)
	fence(t, live)
	want := map[string]int{"first": 1, "second": 1}
	for _, s := range live {
		if got := s.counts(); !maps.Equal(got, want) {
			t.Errorf("a live socket of %s got %v, want %v", s.row.UserID, got, want)
		}
	}
	for _, s := range lost {
		if got := s.counts(); len(got) > 0 {
			t.Errorf("a lost socket got %v", got)
		}
	}
	if p.deadCount > 0 || len(p.outcomes) > 0 || !w.empty(t, w.deadURL) {
		t.Errorf("dead: %d, came again: %v", p.deadCount, p.outcomes)
	}
}

// A node that does not answer proves nothing about its sockets: their rows stay,
// what is for them is given up once that has lasted for MaxOutage, and the other
// node's sockets get theirs once.
func TestNodeDown(t *testing.T) {
	w := newWorld(t, 2)
	w.crowd(t)
	down := w.nodes[1]
	var lost, live []*socket
	for _, s := range w.sockets {
		if s.node == down {
			lost = append(lost, s)
		} else {
			live = append(live, s)
		}
	}
	w.lose(t, lost)
	down.api.Close()
	p := w.start(t, -1, func(o *pusher.Options, _ *pusher.WorkerOptions, _ *sqsnotify.PollOptions) {
		o.PruneAge, o.Tries, o.MaxOutage, o.Backoff = -1, 2, time.Second, 10*time.Millisecond
	})
	n, err := notify.ToEveryone(labelled{"all"})
	r := w.push(t, p, "all", len(w.sockets), n, err)
	if r.Delivered != len(live) || r.Failed != len(lost) || r.Requeued < len(lost) || r.Requeued%len(lost) != 0 || r.Gone != 0 {
		t.Errorf("%+v, want %d delivered; %d requeued and then failed", r, len(live), len(lost))
	}
	p.end(t)
	fence(t, live)
	for _, s := range live {
		if got := s.counts(); !maps.Equal(got, map[string]int{"all": 1}) {
			t.Errorf("a live socket of %s got %v", s.row.UserID, got)
		}
	}
	if got, want := w.rows(t), ids(w.sockets); !slices.Equal(got, want) {
		t.Errorf("%d rows are left, want all %d", len(got), len(want))
	}
	if p.deadCount != 1 || len(p.outcomes) > 0 || !w.empty(t, w.deadURL) {
		t.Errorf("dead: %d, want one notification; came again: %v", p.deadCount, p.outcomes)
	}
}
