package dynamofeed_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
)

// told reads changes until want of them came, within five minutes of the bubble's
// time, and returns their users.
func told(t *testing.T, seq iter.Seq[sumu.Change], want int) (users []string) {
	t.Helper()
	var timer *time.Timer
	late := make(chan struct{})
	timer = time.AfterFunc(5*time.Minute, func() { close(late) })
	defer timer.Stop()
	next, stop := iter.Pull(seq)
	defer stop()
	for len(users) < want {
		c, ok := next()
		if !ok {
			break
		}
		users = append(users, c.UserID)
		select {
		case <-late:
			t.Fatalf("after five minutes: %q, want %d", users, want)
		default:
		}
	}
	return users
}

func newFeed(t *testing.T, f *fake, optFns ...func(*dynamofeed.Options)) *dynamofeed.Feed {
	t.Helper()
	feed, err := dynamofeed.New(f, f, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

// bubble runs a test in a bubble, with a context that ends when it does.
func bubble(t *testing.T, do func(t *testing.T, ctx context.Context)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		do(t, ctx)
	})
}

func want(t *testing.T, got []string, users ...string) {
	t.Helper()
	if !slices.Equal(got, users) {
		t.Errorf("told of %q, want %q", got, users)
	}
}

func TestChangesAfterTheCallAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		f.write("a", "before")
		f.split("a", "b")
		f.write("b", "before")
		changes := newFeed(t, f).Changes(ctx)
		f.write("b", "u1", "", "u2") // One names nobody.
		f.event("b", types.OperationTypeModify, "renewed")
		f.event("b", types.OperationTypeInsert, "u3")
		want(t, told(t, changes, 3), "u1", "u2", "u3")
	})
}

func TestModifiedRowsAreToldIfAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		changes := newFeed(t, f, func(o *dynamofeed.Options) { o.Modified = true }).Changes(ctx)
		f.event("a", types.OperationTypeModify, "renewed")
		want(t, told(t, changes, 1), "renewed")
	})
}

// A loop that is left goes on where it ended, in the midst of a page too.
func TestLoopGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		changes := newFeed(t, f).Changes(ctx)
		f.write("a", "u1", "u2", "u3", "u4", "u5")
		var got []string
		for range 5 {
			got = append(got, told(t, changes, 1)...)
		}
		want(t, got, "u1", "u2", "u3", "u4", "u5")
	})
}

// What is in a shard comes after what is in its parent, however slow that is.
func TestParentsComeFirst(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		changes := newFeed(t, f).Changes(ctx)
		f.write("a", "1", "2", "3", "4", "5")
		f.split("a", "b", "c")
		f.write("b", "6", "7")
		f.write("c", "x", "y", "z")
		f.split("b", "d")
		f.write("d", "8", "9")
		failures := 0
		f.with(func() {
			f.fail = func(op, shard string) error {
				if op == "records" && (shard == "a" || shard == "b") && failures < 20 {
					failures++
					return errors.New("down")
				}
				return nil
			}
		})
		got := told(t, changes, 12)
		want(t, slices.DeleteFunc(slices.Clone(got), func(u string) bool { return strings.Contains("xyz", u) }),
			"1", "2", "3", "4", "5", "6", "7", "8", "9")
		want(t, slices.DeleteFunc(got, func(u string) bool { return !strings.Contains("xyz", u) }), "x", "y", "z")
		if failures != 20 {
			t.Errorf("%d calls failed", failures)
		}
	})
}

// An iterator that expired is made anew from the last record; from the
// beginning of the shard when there was none: nothing is missed.
func TestIteratorsExpire(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		f.write("a", "before")
		changes := newFeed(t, f).Changes(ctx)
		f.write("a", "u1")
		f.with(func() { f.age++ })
		want(t, told(t, changes, 2), "before", "u1")
		f.write("a", "u2")
		f.with(func() { f.age++ })
		want(t, told(t, changes, 1), "u2")
	})
}

func TestTrimmedRecordsDoNotStopIt(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		changes := newFeed(t, f).Changes(ctx)
		f.write("a", "u1")
		want(t, told(t, changes, 1), "u1")
		f.write("a", "lost", "u3")
		f.with(func() { f.age++; f.shards[0].trimmed = 2 })
		want(t, told(t, changes, 1), "u3")
	})
}

// A shard that the stream forgot does not hold up its children.
func TestForgottenShard(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		changes := newFeed(t, f).Changes(ctx)
		f.split("a", "b")
		f.write("b", "u1")
		f.with(func() {
			f.fail = func(op, shard string) error {
				if op == "records" && shard == "a" {
					return &types.ResourceNotFoundException{}
				}
				return nil
			}
		})
		want(t, told(t, changes, 1), "u1")
	})
}

func TestNewStreamOfTheTable(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		changes := newFeed(t, f).Changes(ctx)
		f.write("a", "u1")
		f.with(func() { f.shards[0].closed, f.stream = true, "arn:2" })
		f.add("a", "")
		f.write("a", "u2")
		got := told(t, changes, 2)
		slices.Sort(got)
		want(t, got, "u1", "u2")
	})
}

// Changes waits for its place: who reconciles after it has returned misses
// nothing.
func TestChangesWaitsForItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		f.with(func() {
			f.fail = func(op, _ string) error {
				if f.calls[op] < 3 {
					return errors.New("down")
				}
				return nil
			}
		})
		changes := newFeed(t, f).Changes(ctx)
		if f.calls["iterator LATEST"] != 3 {
			t.Errorf("it has returned after %v", f.calls)
		}
		f.write("a", "u1")
		want(t, told(t, changes, 1), "u1")
	})
}

func TestChangesOfAnEndedContext(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		f.fail = func(string, string) error { return errors.New("down") }
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		want(t, told(t, newFeed(t, f).Changes(short), 1))
		f.fail = nil
		short, cancel = context.WithTimeout(ctx, time.Minute)
		changes := newFeed(t, f).Changes(short)
		cancel()
		want(t, told(t, changes, 1))
	})
}

// A shard that is idle is asked every PollEvery, one with a backlog at once.
func TestPace(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		f.pages = 1000
		changes := newFeed(t, f).Changes(ctx)
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for range f.backlog(5000) {
		}
		began, n := time.Now(), 0
		next, stop := iter.Pull(changes)
		for ; n < 5000; n++ {
			if _, ok := next(); !ok {
				t.Fatalf("ended after %d", n)
			}
		}
		stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("a backlog took %v", took)
		}
		f.with(func() { clear(f.calls) })
		for range newFeed(t, f).Changes(short) {
		}
		if n := f.calls["records"]; n < 119 || n > 121 {
			t.Errorf("an idle shard was asked %d times in a minute", n)
		}
	})
}

// backlog writes n changes.
func (f *fake) backlog(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			f.write("a", fmt.Sprint(i))
			if !yield(i) {
				return
			}
		}
	}
}

// The children of a shard that has ended are looked for at once.
func TestChildrenAreFoundAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f := newFake()
		changes := newFeed(t, f).Changes(ctx)
		f.write("a", "u1")
		f.split("a", "b")
		f.write("b", "u2")
		f.split("b", "c")
		f.write("c", "u3")
		began := time.Now()
		want(t, told(t, changes, 3), "u1", "u2", "u3")
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
