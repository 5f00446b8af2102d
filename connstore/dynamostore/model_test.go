package dynamostore_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
)

var (
	walksFlag = flag.Int("dynamostore.walks", 0, "random walks of the model test; 0: 5,000, with SUMU_E2E=1 10,000, with SUMU_SLOW=1 1,000,000; with -race or -short a 33rd")
	seedFlag  = flag.Uint64("dynamostore.seed", 0, "seed of the first walk; 0: a new one every time")
)

// check compares what is left with what the calls have reported.
func (w *walk) check() {
	for i, c := range w.conns { // What a cleaner does in the end.
		if _, err := sumu.ForgetGone(bg, w.store, c.Ref()); err != nil {
			w.failf("clean %d: %v", i, err)
		}
	}
	attached := make(map[target]int) // what a sender finds
	for n, channel := range modelChannels {
		for m, err := range w.store.Members(bg, channel, "") {
			if err != nil {
				w.failf("members: %v", err)
			}
			attached[target{w.connOf(m.Connection), n}]++
		}
	}
	subscribed, err := subscribersFound(w, w.store)
	if err != nil {
		w.failf("subscribers: %v", err)
	}
	maps.Copy(attached, subscribed)
	for i := range w.conns {
		for n := range targetCount {
			w.checkTarget(target{i, n}, attached[target{i, n}])
		}
	}
	w.checkLimit(attached)
	w.checkExpiry()
}

func (w *walk) connOf(c sumu.Connection) int { return int(c.UserID[1] - '0') }

// told reports whether the connection is told that it has the attachment.
func (w *walk) told(t target) bool {
	ref := w.conns[t.conn].Ref()
	if t.what < len(modelChannels) {
		for channel := range w.store.Channels(bg, ref) {
			if channel == modelChannels[t.what] {
				return true
			}
		}
		return false
	}
	for s := range w.store.Subscriptions(bg, ref) {
		if s.Filter == modelSubs[t.what-len(modelChannels)].Filter {
			return true
		}
	}
	return false
}

func (w *walk) checkTarget(t target, found int) {
	if w.excused[t] {
		return
	}
	_, err := w.store.Get(bg, w.conns[t.conn].Ref())
	told, live := w.told(t), err == nil
	switch {
	case found > 1:
		w.failf("%v is found %d times", t, found)
	case !live && (found > 0 || told):
		w.failf("%v is attached to a connection that is gone: found %d, told %t", t, found, told)
	case live && found > 0 && !told:
		w.failf("%v is found, but the connection is not told", t)
	case live && told && found == 0 && !w.rough[t.conn]:
		w.failf("%v is told, but not found", t)
	}
	if !live {
		return
	}
	may, must := w.history(t)
	switch {
	case found > 0 && !may:
		w.failf("%v is attached, though every join was refused or left: %+v", t, w.attempts[t])
	case found == 0 && must:
		w.failf("%v is not attached, though it was joined and nobody left: %+v", t, w.attempts[t])
	}
	if t.what < len(modelChannels) {
		is, err := w.store.IsMember(bg, w.conns[t.conn].Ref(), modelChannels[t.what])
		if err != nil || is != (found > 0) {
			w.failf("%v: IsMember is %t, %v", t, is, err)
		}
	}
}

// history says whether an attachment may, and whether it must exist after all
// that was done.
func (w *walk) history(t target) (may, must bool) {
	for _, join := range w.attempts[t] {
		if !join.adds || join.void && !w.muddled(t, join) {
			continue
		}
		left, leaving := false, false
		for _, leave := range w.attempts[t] {
			if !leave.adds {
				left = left || leave.ok && leave.start > join.end
				leaving = leaving || leave.end > join.start
			}
		}
		may = may || !left
		must = must || join.ok && !leaving
	}
	return may, must
}

// muddled reports whether a refusal of several subscriptions met another call
// that asked for this one: which of the two has added it cannot always be told,
// and it may stay.
func (w *walk) muddled(t target, join attempt) bool {
	if t.what < len(modelChannels) {
		return false
	}
	for _, other := range w.attempts[t] {
		if other.adds && other != join && other.start < join.end && join.start < other.end {
			return true
		}
	}
	return false
}

func (w *walk) checkLimit(attached map[target]int) {
	if w.most == 0 {
		return
	}
	for i := range w.conns {
		channels, subs := 0, 0
		for n := range targetCount {
			switch t := (target{i, n}); {
			case attached[t] == 0 || w.excused[t]:
			case n < len(modelChannels):
				channels++
			default:
				subs++
			}
		}
		if channels > w.most || subs > w.most {
			w.failf("connection %d has %d channels and %d subscriptions, at most %d are allowed", i, channels, subs, w.most)
		}
	}
}

// checkExpiry has what is left expire with its connection, and looks at every
// row of the table.
func (w *walk) checkExpiry() {
	if w.db != nil {
		for i, c := range w.conns {
			rowAt, err := w.store.Get(bg, c.Ref())
			for key, it := range w.db.Rows("state") {
				if !strings.Contains(key[0]+key[1], handleOf(c.Ref())) {
					continue
				}
				if err == nil && !w.rough[i] && textOf(it["delete_at"]) != fmt.Sprint(rowAt.DeleteAt.Unix()) {
					w.failf("%v expires at %s, the row at %d", key, textOf(it["delete_at"]), rowAt.DeleteAt.Unix())
				}
				for n := range targetCount {
					if t := (target{i, n}); err != nil && w.isOf(it, t) && !w.excused[t] {
						w.failf("%v is left of a connection that is gone", key)
					}
				}
			}
		}
	}
	w.now = w.now.Add(4 * modelHour)
	for _, channel := range modelChannels {
		for m := range w.store.Members(bg, channel, "") {
			w.failf("%v has not expired", m)
		}
	}
}

// runModel returns the seed of the first walk that fails, and why.
func runModel(broken rule, onMemstore bool, seed uint64, walks int) (stats modelStats, failed *walk, at uint64) {
	learnNames()
	for n := range walks {
		w := newWalk(seed+uint64(n), broken, onMemstore, &stats)
		w.run()
		stats.walks++
		if w.failure != "" {
			return stats, w, seed + uint64(n)
		}
	}
	return stats, nil, 0
}

// TestModel drives the real stores through random walks: joins, leaves,
// subscriptions, renewals, disconnections and readings of few connections at the
// same time, which crash between any two steps, while calls fail, lose their
// answers or are made twice, shards are raised, and what is not read strongly
// consistent is read as it was some writes ago. What a call that broke off has
// left must expire; all else must be exact, and every reading finds what was
// answered before it began.
func TestModel(t *testing.T) {
	leak.Check(t)
	walks := *walksFlag
	if walks == 0 {
		walks = 5_000
		switch {
		case os.Getenv("SUMU_SLOW") == "1":
			walks = 1_000_000
		case os.Getenv("SUMU_E2E") == "1":
			walks = 10_000
		}
		if raceEnabled || testing.Short() {
			walks /= 33
		}
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	for name, onMemstore := range map[string]bool{"memstore": true, "dynamostore": false} {
		t.Run(name, func(t *testing.T) {
			stats, failed, at := runModel(none, onMemstore, seed, walks)
			if failed != nil {
				t.Fatalf("run it again with -dynamostore.walks=1 -dynamostore.seed=%d\n%s\n%s", at, failed.failure, strings.Join(failed.trace, "\n"))
			}
			t.Logf("from seed %d: %+v", seed, stats)
			if walks >= 1000 && !onMemstore && (stats.crashes == 0 || stats.faults == 0 || stats.joins == 0 || stats.refused == 0 ||
				stats.gone == 0 || stats.raised == 0 || stats.excused*4 > stats.joins) {
				t.Errorf("the walks prove little: %+v", stats)
			}
		})
	}
}

// The model is proved by rules taken out: it must miss each.
func TestModelMissesEveryRule(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine at a time, thousands of walks: run it without the race detector")
	}
	for name, broken := range map[string]rule{
		"the reverse row is written first":           reverseRowFirst,
		"a join looks at the row in the end":         looksAtRow,
		"a join looks at the reverse row in the end": looksAtReverse,
		"the reverse row tells the shard":            shardIsKept,
		"a leave removes the forward row first":      forwardLeaves,
		"a leave looks back":                         leaveLooksBack,
		"a join writes before it counts":             writesThenCounts,
		"the last to write undoes":                   lastWriterUndoes,
		"what was joined before is not undone":       established,
		"the row decides on the expiry":              rowDecidesExpiry,
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			stats, failed, _ := runModel(broken, false, 1, 100_000)
			if failed == nil {
				t.Fatalf("no violation in %d walks", stats.walks)
			}
			t.Logf("after %d walks (%v): %s", stats.walks, time.Since(began).Round(time.Millisecond), failed.failure)
		})
	}
}
