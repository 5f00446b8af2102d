package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// A notification reaches whom it names, once, whichever way it takes into the
// queue, and the workers count what the clients count.
func TestCountsAgree(t *testing.T) {
	direct := func(_ *testing.T, w *world) (sumu.NotifyClient, error) { return sqsnotify.New(w.sqs, w.queueURL) }
	topic := func(raw bool) func(*testing.T, *world) (sumu.NotifyClient, error) {
		return func(t *testing.T, w *world) (sumu.NotifyClient, error) { return snsnotify.New(w.sns, w.topic(t, raw)) }
	}
	for _, c := range []struct {
		name              string
		client            func(*testing.T, *world) (sumu.NotifyClient, error)
		users, each, sent int
		segments          int  // that a notification to everyone is split into
		times             int  // that each notification is sent, with the same id
		enveloped         bool // what is in the queue
	}{
		{"SQS", direct, 20, 3, 40, 1, 1, false},
		{"SQS in segments", direct, 6, 2, 12, 4, 1, false},
		{"SQS sent twice", direct, 6, 2, 12, 1, 2, false},
		{"SNS", topic(false), 6, 2, 12, 1, 1, true},
		{"SNS raw", topic(true), 6, 2, 12, 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			w := newWorld(t, 2)
			for i := range c.users * c.each {
				w.connect(t, w.nodes[i%2], fmt.Sprint("user", i%c.users))
			}
			client, err := c.client(t, w)
			if err != nil {
				t.Fatal(err)
			}
			want := make(expectations)
			for range c.times {
				for i := range c.sent {
					w.send(t, client, i, want)
				}
			}
			if got := w.peek(t); strings.Contains(got, `"Type":"Notification"`) != c.enveloped {
				t.Fatalf("in the queue: %s", got)
			}
			segments := func(_ *pusher.Options, o *pusher.WorkerOptions, _ *sqsnotify.PollOptions) { o.Segments = c.segments }
			ps := []*process{w.start(t, -1, segments), w.start(t, -1, segments)}
			eventually(t, "all is counted and removed", func() bool { return want.counted(ps...) && w.empty(t, w.queueURL) })
			posts, messages := 0, 0
			for _, p := range ps {
				p.end(t)
				posts += p.posts()
				messages += p.handled
			}
			fence(t, w.sockets)

			total := 0
			for _, s := range w.sockets {
				expected := make(map[string]int)
				for id, targets := range want {
					if targets[s] {
						expected[id] = 1
						total++
					}
				}
				if got := s.counts(); !maps.Equal(got, expected) {
					t.Errorf("a socket of %s: got %v, want %v", s.row.UserID, got, expected)
				}
			}
			for _, id := range slices.Sorted(maps.Keys(want)) {
				r := sum(id, ps...)
				if n := len(want[id]); r.Targets != n || r.Delivered != n {
					t.Errorf("%s: %d targets and %d delivered by the workers' count, want %d", id, r.Targets, r.Delivered, n)
				}
			}
			if posts != total {
				t.Errorf("%d posts, want %d", posts, total)
			}
			checkNoneDead(t, w, ps...)
			t.Logf("%d sockets, %d notifications, %d messages, %d posts, %v",
				len(w.sockets), c.sent, messages, posts, time.Since(start).Round(time.Millisecond))
		})
	}
}

// expectations are, by a notification's id, the sockets that it is for.
type expectations map[string]map[*socket]bool

// counted reports whether the processes have counted as much as is expected.
func (e expectations) counted(ps ...*process) bool {
	for id, targets := range e {
		if sum(id, ps...).Delivered < len(targets) {
			return false
		}
	}
	return true
}

// send sends the i-th notification of several kinds.
func (w *world) send(t *testing.T, client sumu.NotifyClient, i int, want expectations) {
	t.Helper()
	n, reaches := w.notification(t, i)
	id, err := notify.Send(t.Context(), client, n)
	if err != nil {
		t.Fatal(err)
	}
	want[id] = make(map[*socket]bool)
	for _, s := range w.sockets {
		if reaches(s) {
			want[id][s] = true
		}
	}
}

// notification returns the i-th of several kinds, and whom it is for. Its label
// is its id.
func (w *world) notification(t *testing.T, i int) (n sumu.Notification, reaches func(*socket) bool) {
	t.Helper()
	id := fmt.Sprint("n", i)
	data := labelled{id}
	one, other := w.sockets[i%len(w.sockets)], w.sockets[(i+7)%len(w.sockets)]
	var err error
	switch i % 6 {
	case 0:
		n, err = notify.ToEveryone(data)
		reaches = func(*socket) bool { return true }
	case 1:
		n, err = notify.ToUsers(data, one.row.UserID, "nobody", other.row.UserID, one.row.UserID)
		reaches = func(s *socket) bool { return s.row.UserID == one.row.UserID || s.row.UserID == other.row.UserID }
	case 2:
		n, err = notify.ToUsers(data, one.row.UserID)
		reaches = func(s *socket) bool { return s.row.UserID == one.row.UserID }
	case 3:
		n, err = notify.ToEveryone(data, one.row.UserID)
		n.ExcludeConnections = []string{other.row.ID}
		reaches = func(s *socket) bool { return s.row.UserID != one.row.UserID && s != other }
	case 4:
		n, err = notify.ToConnections(data, one.row.Ref(), other.row.Ref())
		reaches = func(s *socket) bool { return s == one || s == other }
	case 5:
		n, err = notify.ToUsers(data, one.row.UserID)
		n.ExcludeConnections = []string{one.row.ID}
		reaches = func(s *socket) bool { return s.row.UserID == one.row.UserID && s != one }
	}
	if err != nil {
		t.Fatal(err)
	}
	n.ID = id
	return n, reaches
}

// checkNoneDead fails the test when a notification or a message was given up.
func checkNoneDead(t *testing.T, w *world, ps ...*process) {
	t.Helper()
	for _, p := range ps {
		if p.deadCount > 0 {
			t.Errorf("%d notifications were given up", p.deadCount)
		}
	}
	if !w.empty(t, w.deadURL) {
		t.Errorf("the dead-letter queue holds %v", w.held(t, w.deadURL))
	}
}
