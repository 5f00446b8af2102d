package dynamostore_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// lateRead is a kind of read that a test makes eventually consistent, to see
// that a promise rests on it.
type lateRead struct {
	name string
	slow bool // it takes thousands of walks, or waits for others
	of   func(p *proc, table string, key row, query bool) bool
}

func during(p *proc, calls ...string) bool {
	for _, call := range calls {
		if strings.HasPrefix(p.name, call) {
			return true
		}
	}
	return false
}

func isShards(key row) bool { return textOf(key["sk"]) == "shards" }

// lateReads are the reads of memberships and subscriptions whose consistency the
// model can tell.
var lateReads = []lateRead{
	{"the row that a join looks at in the end", false, func(p *proc, table string, _ row, query bool) bool {
		return p.adds && table == "connections" && !query
	}},
	{"the row that a cleaner looks at", false, func(p *proc, table string, _ row, query bool) bool {
		return during(p, "clean") && table == "connections" && !query
	}},
	{"the reverse row that a join looks at in the end", true, func(p *proc, _ string, key row, query bool) bool {
		return p.adds && isReverse(key) && !query
	}},
	{"the reverse rows that a join counts", false, func(p *proc, _ string, key row, query bool) bool {
		return p.adds && isReverse(key) && query
	}},
	{"the forward row that a refused join looks at", false, func(p *proc, _ string, key row, query bool) bool {
		return p.adds && isForward(key) && !query
	}},
	{"the reverse row that a leave looks at", false, func(p *proc, _ string, key row, query bool) bool {
		return p.leaves && isReverse(key) && !query
	}},
	{"the forward row that a leave looks at in the end", true, func(p *proc, _ string, key row, query bool) bool {
		return p.leaves && isForward(key) && !query
	}},
	{"the rows that Forget looks for", false, func(p *proc, _ string, key row, query bool) bool {
		return during(p, "disconnect", "clean") && isReverse(key) && query
	}},
	{"the rows that Prolong looks for", false, func(p *proc, _ string, key row, query bool) bool {
		return during(p, "renew") && isReverse(key) && query
	}},
	{"the shards that a join reads", true, func(p *proc, _ string, key row, _ bool) bool { return p.adds && isShards(key) }},
	{"the members", false, func(p *proc, _ string, _ row, query bool) bool { return during(p, "members") && query }},
	{"the shards that a count reads", false, func(p *proc, _ string, key row, _ bool) bool { return during(p, "count") && isShards(key) }},
	{"the members that are counted", false, func(p *proc, _ string, _ row, query bool) bool { return during(p, "count") && query }},
	{"the reverse row of IsMember", false, func(p *proc, _ string, key row, _ bool) bool { return during(p, "is member") && isReverse(key) }},
	{"the forward row of IsMember", false, func(p *proc, _ string, key row, _ bool) bool { return during(p, "is member") && isForward(key) }},
	{"the uses of an event's type", false, func(p *proc, _ string, key row, _ bool) bool {
		return during(p, "subscribers") && prefixed(key, "pk", "events/")
	}},
	{"the subscribers", false, func(p *proc, _ string, key row, _ bool) bool {
		return during(p, "subscribers") && prefixed(key, "pk", "event/")
	}},
}

// belate has a read be eventually consistent if the walk is to break it.
func (s *seam) belate(in any) {
	late := s.w.late
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		if late != nil && late.of(s.p, *in.TableName, in.Key, false) {
			in.ConsistentRead = nil
		}
	case *dynamodb.QueryInput:
		if late != nil && late.of(s.p, *in.TableName, row{"pk": in.ExpressionAttributeValues[":pk"]}, true) {
			in.ConsistentRead = nil
		}
	}
}

// Each of these reads must be strongly consistent: the model misses it.
func TestModelMissesEveryConsistentRead(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine at a time, thousands of walks: run it without the race detector")
	}
	for _, late := range lateReads {
		t.Run(late.name, func(t *testing.T) {
			if late.slow && os.Getenv("SUMU_SLOW") != "1" {
				t.Skip("takes half a minute; run it with: make test-slow")
			}
			began := time.Now()
			learnNames()
			var stats modelStats
			for seed := uint64(1); seed <= 100_000; seed++ {
				w := newWalk(seed, none, false, &stats)
				w.late = &late
				if w.run(); w.failure != "" {
					t.Logf("after %d walks (%v): %s", seed, time.Since(began).Round(time.Millisecond), w.failure)
					return
				}
			}
			t.Error("no violation in 100,000 walks")
		})
	}
}
