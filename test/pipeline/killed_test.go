package pipeline

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// A worker ends in the middle of a broadcast, some of whose posts hang. Another
// does the rest: everybody gets everything, and twice only what the end of the
// first worker left unknown.
func TestWorkerKilledInTheMiddle(t *testing.T) {
	const answers, direct = 20, 10
	for _, c := range []struct {
		name string
		kill func(*process)
		// unknown are the posts of the killed worker of which nobody knows.
		unknown func(*process) map[post]int
		posts   int // that are unknown
	}{
		{
			// Its context is cut: it still settles what was answered.
			"stopped", func(p *process) { p.stop() },
			func(p *process) map[post]int { return p.lost }, concurrency,
		},
		{
			// The machine is gone: nothing is settled, removed or sent.
			"died", func(p *process) { p.cut(); p.stop() },
			func(p *process) map[post]int {
				all := maps.Clone(p.lost)
				for k, n := range p.answered {
					all[k] += n
				}
				return all
			}, answers + concurrency,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			w := newWorld(t, 2)
			for i := range 60 {
				w.connect(t, w.nodes[i%2], fmt.Sprint("user", i%20))
			}
			client, err := sqsnotify.New(w.sqs, w.queueURL)
			if err != nil {
				t.Fatal(err)
			}
			first := w.start(t, answers, func(_ *pusher.Options, work *pusher.WorkerOptions, poll *sqsnotify.PollOptions) {
				poll.Pollers, poll.Batch, poll.Timeout = 1, 1, 20*time.Second
				work.Lease = 5 * time.Second // Time for the test to get as far as the kill.
			})
			broadcast := make(expectations)
			w.send(t, client, 0, broadcast) // The kind that is for everyone.
			for range concurrency {
				select {
				case <-first.hung:
				case <-time.After(limit):
					t.Fatal("posts do not hang")
				}
			}
			second := w.start(t, -1, nil)
			want := make(expectations)
			for i := range direct {
				w.send(t, client, 1+i, want)
			}
			w.send(t, client, 0, broadcast) // Its sender has had no answer. It is the first worker's, while that lives.
			eventually(t, "the second worker goes on while the first hangs", func() bool {
				return want.counted(second) && second.refused() > 0
			})
			if r := sum("n0", second); r.Targets > 0 {
				t.Errorf("the second worker posted what is the first's: %+v", r)
			}
			maps.Copy(want, broadcast)
			killed := time.Now()
			c.kill(first)
			eventually(t, "all is delivered and removed", func() bool {
				return want.counted(first, second) && w.empty(t, w.queueURL)
			})
			took := time.Since(killed)
			first.end(t) // Without a network it takes as long as it may to settle.
			second.end(t)
			fence(t, w.sockets)

			unknown := c.unknown(first)
			if len(unknown) != c.posts {
				t.Errorf("the fate of %d posts is unknown, want %d", len(unknown), c.posts)
			}
			repeats := 0
			for _, s := range w.sockets {
				got := s.counts()
				for id, targets := range want {
					least := 0
					if targets[s] {
						least = 1
					}
					most := least + unknown[post{id, s.row.ID}]
					if n := got[id]; n < least || n > most {
						t.Errorf("a socket of %s got %s %d times, want %d to %d", s.row.UserID, id, n, least, most)
					}
					repeats += got[id] - least
					delete(got, id)
				}
				if len(got) > 0 {
					t.Errorf("a socket of %s got %v, which nobody sent", s.row.UserID, got)
				}
			}
			for id, targets := range want {
				if r := sum(id, first, second); r.Delivered != len(targets) || r.Failed+r.Gone != 0 {
					t.Errorf("%s: %d delivered, %d failed, %d gone by the workers' count, want %d delivered",
						id, r.Delivered, r.Failed, r.Gone, len(targets))
				}
			}
			checkNoneDead(t, w, first, second)
			t.Logf("%d posts answered and %d not before the kill, %d repeats, %d messages came again, complete %v after it; %v in all",
				len(first.answered), len(first.lost), repeats, len(second.outcomes),
				took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
		})
	}
}
