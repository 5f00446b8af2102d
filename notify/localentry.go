package notify

import (
	"math/rand/v2"
	"time"

	"github.com/sumu-live/sumu"
)

// entry is a notification in a Local, or what remained of one.
type entry struct {
	n      sumu.Notification
	size   int64     // about what it holds in memory
	queued bool      // it has a place in the queue
	tries  int       // that reached nobody, one after another
	first  time.Time // when it was first pushed; zero: it was not
	until  time.Time // when it is tried for the last time
	at     time.Time // when it is tried next
	crowd  bool      // most of many connections could not take it
}

// lastAttempt makes a push the last one by any pusher's count, and longAgo by its
// time for faults, so that it says why what is left was left.
const lastAttempt = 1_000_000

var longAgo = time.Unix(1, 0)

// next is the notification as it is pushed at a time. The pusher's count of
// attempts begins anew each time, and so does its time for faults: neither must
// end what our time has not ended.
func (e *entry) next(now time.Time) sumu.Notification {
	n := e.n
	n.Attempt, n.Since = 0, time.Time{}
	if !e.first.IsZero() && !now.Before(e.until) {
		n.Attempt, n.Since = lastAttempt, longAgo
	}
	return n
}

func newEntry(n sumu.Notification) entry {
	const perTarget = 32 // What a name takes beside its bytes.
	size := 512 + len(n.Data)
	if n.Event != nil {
		size += len(n.Event.Payload)
	}
	for _, list := range [][]string{n.Users, n.Channels, n.ExcludeUsers, n.ExcludeConnections, n.ExcludeChannels} {
		for _, s := range list {
			size += len(s) + perTarget
		}
	}
	for _, ref := range n.Connections {
		size += len(ref.UserID) + len(ref.ConnectionID) + perTarget
	}
	return entry{n: n, size: int64(size)}
}

// outcome returns what is to be tried again of an entry that was pushed. The
// rest is delivered, failed for good, or given up.
func (l *Local) outcome(e *entry, r *sumu.Result, now time.Time, given *givenUp) []entry {
	if r.Refused() {
		given.add(e.n, r.Err)
		return nil
	}
	first, until, tries := e.first, e.until, e.tries+1
	last := !first.IsZero() && !now.Before(until)
	if first.IsZero() {
		first, until = now, now.Add(l.opts.Timeout)
		// Behind the deadline, so that the pusher is the one to find it passed.
		if d := e.n.Deadline.Add(time.Millisecond); !e.n.Deadline.IsZero() && d.Before(until) {
			until = d
		}
	}
	if r.Delivered > 0 {
		tries = 1
	}
	cause, mayYet := reason(r)
	var rest []entry
	keep := func(n sumu.Notification) {
		left := newEntry(n)
		left.first, left.until, left.tries = first, until, tries
		// A store that fails leaves everything, and so does a node: whoever sends
		// must wait for them, as for no slow connection.
		left.queued = r.Err != nil || !n.Since.IsZero()
		left.at = now.Add(l.backoff(tries))
		if left.at.After(until) {
			left.at = until
		}
		rest = append(rest, left)
	}
	for _, n := range r.Remainder {
		if last {
			given.add(n, &sumu.Error{Op: "notify " + n.ID + ": " + errTimeOver, Kind: sumu.ErrUnavailable, Err: cause})
		} else {
			keep(n)
		}
	}
	for _, n := range r.GivenUp {
		switch {
		case last && mayYet:
			given.add(n, &sumu.Error{Op: "notify " + n.ID + ": " + errTimeOver, Err: cause})
		case mayYet:
			keep(n) // A pusher with fewer attempts than there is time for.
		default:
			given.add(n, &sumu.Error{Op: "notify " + n.ID, Err: cause})
		}
	}
	return rest
}

const errTimeOver = "not delivered in time"

// reason is why a push left something, as far as it says, and whether that may
// yet change.
func reason(r *sumu.Result) (err error, mayYet bool) {
	if err = r.Err; sumu.Retryable(err) {
		return err, true
	}
	for _, f := range r.Failures {
		if sumu.Retryable(f.Err) {
			return f.Err, true
		}
	}
	if err == nil && len(r.Failures) > 0 {
		err = r.Failures[0].Err
	}
	return err, false
}

// maxBackoff leaves a dozen tries in the default Timeout.
const maxBackoff = 5 * time.Second

func (l *Local) backoff(tries int) time.Duration {
	d := min(l.opts.Backoff<<min(max(tries-1, 0), 16), maxBackoff)
	return d/2 + rand.N(d/2+1)
}

// laterHeap is what waits for another try, the next one first.
type laterHeap []entry

func (h laterHeap) Len() int           { return len(h) }
func (h laterHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h laterHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *laterHeap) Push(x any)        { *h = append(*h, x.(entry)) }

func (h *laterHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = entry{}
	*h = old[:len(old)-1]
	return last
}
