package pipeline

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// toxics are what a bad network does. Each is put on four of five connections of
// a road for a while.
var toxics = []components.Toxic{
	{Kind: "latency", Stream: "downstream", Attributes: map[string]int{"latency": 150, "jitter": 100}},
	{Kind: "reset_peer", Stream: "upstream", Attributes: map[string]int{"timeout": 5}},
	{Kind: "reset_peer", Stream: "downstream", Attributes: map[string]int{"timeout": 0}},
	{Kind: "timeout", Stream: "upstream", Attributes: map[string]int{"timeout": 200}},
	{Kind: "timeout", Stream: "downstream", Attributes: map[string]int{"timeout": 200}},
	{Kind: "slow_close", Stream: "downstream", Attributes: map[string]int{"delay": 200}},
	{Kind: "limit_data", Stream: "upstream", Attributes: map[string]int{"bytes": 700}},
	{Kind: "limit_data", Stream: "downstream", Attributes: map[string]int{"bytes": 90}},
}

// The network between the workers and the queue, the tables and the nodes is
// bad, in every way and one road after the other. Everybody gets everything;
// twice only what the worker cannot know: a post without an answer, or those of
// a call that it could not settle.
func TestBadNetwork(t *testing.T) {
	rounds := 1
	if os.Getenv("SUMU_SLOW") == "1" {
		rounds = 10
	}
	start := time.Now()
	roadsTo := make(map[string][]*components.Road)
	w := newWorld(t, 2, func(w *world) {
		net := components.NewNetwork(t)
		to := func(what, address string) string {
			road := net.Road(address)
			roadsTo[what] = append(roadsTo[what], road)
			return road.Address
		}
		w.roads = roads{
			dynamo: "http://" + to("DynamoDB", hostOf(t, w.dynamo)),
			fauxqs: "http://" + to("SQS", hostOf(t, w.fauxqs)),
			node:   func(address string) string { return to("nodes", address) },
		}
	})
	// Answers of the queue that are lost count as receipts.
	_, err := w.sqs.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: &w.queueURL, Attributes: map[string]string{"RedrivePolicy": w.redrive(100)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 24 {
		w.connect(t, w.nodes[i%2], fmt.Sprint("user", i%8))
	}
	client, err := sqsnotify.New(w.sqs, w.queueURL)
	if err != nil {
		t.Fatal(err)
	}
	book := &ledger{calls: make(chan *call, 1<<20)}
	tune := func(push *pusher.Options, work *pusher.WorkerOptions, poll *sqsnotify.PollOptions) {
		push.PostTimeout, push.Attempts = time.Second, 100
		work.Backoff = 50 * time.Millisecond
		poll.Pollers, poll.Batch = 4, 1
	}
	var ps []*process
	for range 2 {
		wire := newWire(t, -1)
		wire.ledger = book
		ps = append(ps, w.run(t, wire, tune))
	}

	want := make(expectations)
	sent := 0
	send := func(n int) {
		for range n {
			w.send(t, client, sent, want)
			sent++
		}
	}
	// bad lets each of the roads be bad for a while.
	bad := func(weather map[*components.Road]components.Toxic) {
		send(1) // The fault strikes in its middle.
		for road, x := range weather {
			road.Poison(x)
		}
		send(2)
		<-time.After(200 * time.Millisecond) // Nothing tells when the weather has done its worst.
		for road := range weather {
			road.Heal()
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // Not a secret.
	for range rounds {
		for _, what := range slices.Sorted(maps.Keys(roadsTo)) {
			for _, x := range toxics {
				weather := make(map[*components.Road]components.Toxic)
				for _, road := range roadsTo[what] {
					weather[road] = x
				}
				bad(weather)
			}
		}
		// Posts take their time, and the sender, which has had no answer, sends
		// once more: the second message finds the lease of the first.
		for _, road := range roadsTo["nodes"] {
			road.Poison(components.Toxic{Kind: "latency", Stream: "downstream", Attributes: map[string]int{"latency": 400}, Share: 1})
		}
		underWay := func() {
			before := book.begun.Load()
			send(6)
			eventually(t, "posts are under way", func() bool { return book.begun.Load() > before+concurrency })
		}
		underWay()
		for i := range 6 {
			w.send(t, client, sent-1-i, want)
		}
		eventually(t, "the first six are there", func() bool { return want.reached(w.sockets) })
		// Meanwhile the tables are out of reach: what was posted cannot be
		// settled, and is posted again once the lease ends.
		underWay()
		cut := components.Toxic{Kind: "reset_peer", Stream: "upstream", Attributes: map[string]int{"timeout": 0}, Share: 1}
		for _, road := range roadsTo["DynamoDB"] {
			road.Poison(cut)
		}
		<-time.After(4 * time.Second) // Longer than the SDK tries.
		for _, what := range []string{"DynamoDB", "nodes"} {
			for _, road := range roadsTo[what] {
				road.Heal()
			}
		}
		for range len(toxics) { // All roads at once.
			weather := make(map[*components.Road]components.Toxic)
			for _, what := range slices.Sorted(maps.Keys(roadsTo)) {
				for _, road := range roadsTo[what] {
					weather[road] = toxics[random.IntN(len(toxics))]
				}
			}
			bad(weather)
		}
	}
	healed := time.Now()
	within(t, time.Minute, "all is delivered and removed", func() bool {
		return want.reached(w.sockets) && w.empty(t, w.queueURL)
	})
	took := time.Since(healed)
	for _, p := range ps {
		p.end(t)
	}
	fence(t, w.sockets)
	f := book.close(t)

	targets, repeats := 0, 0
	for _, s := range w.sockets {
		got := s.counts()
		for id, of := range want {
			p := post{id, s.row.ID}
			n, least := got[id], f.settled[p]+f.unsettled[p]
			delete(got, id)
			if !of[s] {
				if n > 0 {
					t.Errorf("a socket of %s got %s, which is not for it", s.row.UserID, id)
				}
				continue
			}
			targets++
			repeats += n - 1
			switch most := least + f.unknown[p]; {
			case n < 1:
				t.Errorf("a socket of %s never got %s", s.row.UserID, id)
			case n < least || n > most:
				t.Errorf("a socket of %s got %s %d times, posts that were answered and not: %d and %d",
					s.row.UserID, id, n, least, f.unknown[p])
			case f.settled[p] > 1:
				t.Errorf("a socket of %s got %s again after it was settled", s.row.UserID, id)
			}
		}
		if len(got) > 0 {
			t.Errorf("a socket of %s got %v, which nobody sent", s.row.UserID, got)
		}
	}
	settled := make(map[string]int)
	unsettledPosts := 0
	for p, n := range f.settled {
		settled[p.label] += n
	}
	for _, n := range f.unsettled {
		unsettledPosts += n
	}
	for id := range want {
		if f.delivered[id] != settled[id] {
			t.Errorf("%s: %d delivered by the results, %d answered in calls that were settled", id, f.delivered[id], settled[id])
		}
	}
	if most := f.lost + unsettledPosts; repeats > most {
		t.Errorf("%d repeats, but only %d posts of which the worker knew nothing", repeats, most)
	}
	if got, want := w.rows(t), ids(w.sockets); !slices.Equal(got, want) {
		t.Errorf("%d rows are left, want all %d", len(got), len(want))
	}
	checkNoneDead(t, w, ps...)
	if f.lost == 0 || unsettledPosts == 0 {
		t.Errorf("%d posts without an answer, %d not settled: the network was not bad", f.lost, unsettledPosts)
	}
	t.Logf("%d notifications to %d targets in all: %d calls, %d posts answered; %d posts without an answer, "+
		"%d calls not settled with %d posts; %d repeats; complete %v after the last fault, %v in all",
		len(want), targets, f.calls, f.posts, f.lost, f.unsettledCalls, unsettledPosts, repeats,
		took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
}

// reached reports whether every socket has got what is for it.
func (e expectations) reached(sockets []*socket) bool {
	for _, s := range sockets {
		got := s.counts()
		for id, targets := range e {
			if targets[s] && got[id] == 0 {
				return false
			}
		}
	}
	return true
}
