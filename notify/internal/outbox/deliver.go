package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
)

// Limits are those of one request of a transport, and how often it is tried.
type Limits struct {
	Count   int           // entries in a request
	Bytes   int           // of all entries of a request; 0: no limit
	Tries   int           // how often an entry is tried
	Backoff time.Duration // the longest pause before the second try; it doubles
}

const maxBackoff = 20 * time.Second

// Call makes one request and returns an outcome for each item, or why the
// request as a whole failed.
type Call[T any] func(ctx context.Context, items []T) (outcomes []error, err error)

// Deliver makes requests of the items, in their order and within the limits,
// until each has succeeded, cannot succeed, or was tried often enough. Only
// what failed is tried again. It returns the last outcome of each; those not
// tried before ctx ended are ErrUnavailable.
func Deliver[T any](ctx context.Context, items []T, size func(*T) int, l Limits, call Call[T]) []error {
	errs := make([]error, len(items))
	pending := make([]int, len(items))
	for i := range pending {
		pending[i] = i
	}
	alone := make(map[int]bool)
	d := delivery[T]{items: items, size: size, limits: l}
	for try := 1; len(pending) > 0; {
		var again, apart []int
		for rest := pending; len(rest) > 0; {
			var batch []int
			batch, rest = d.take(rest, alone)
			if err := ctx.Err(); err != nil {
				d.fail(batch, errs, Classify("", err))
				continue
			}
			outcomes, err := call(ctx, d.pick(batch))
			if err != nil && len(batch) > 1 && oneMayBeToBlame(err) {
				for _, i := range batch {
					alone[i] = true
				}
				apart = append(apart, batch...)
				continue
			}
			for k, i := range batch {
				if errs[i] = outcome(outcomes, err, k); sumu.Retryable(errs[i]) {
					again = append(again, i)
				}
			}
		}
		if len(apart) > 0 { // Each once more, by itself: that was no try of its own.
			pending = append(apart, again...)
			continue
		}
		if try++; try > l.Tries || len(again) == 0 || !pause(ctx, l.Backoff, try-2) {
			break
		}
		pending = again
	}
	return errs
}

// outcome is that of the item k of a request.
func outcome(outcomes []error, err error, k int) error {
	switch {
	case err != nil:
		return err
	case k >= len(outcomes):
		return errNoOutcome
	}
	return outcomes[k]
}

var errNoOutcome = &sumu.Error{Op: "the reply names no outcome", Kind: sumu.ErrUnavailable}

// oneMayBeToBlame reports whether a request may have been refused for one of
// its entries: the others must not suffer for it.
func oneMayBeToBlame(err error) bool {
	return (errors.Is(err, sumu.ErrInvalid) || errors.Is(err, sumu.ErrTooLarge)) && !missing(err)
}

type delivery[T any] struct {
	items  []T
	size   func(*T) int
	limits Limits
}

// take returns as many as fit into one request.
func (d *delivery[T]) take(pending []int, alone map[int]bool) (batch, rest []int) {
	n, bytes := 0, 0
	for n < len(pending) && n < d.limits.Count {
		i := pending[n]
		if n > 0 && (alone[i] || alone[pending[0]]) {
			break
		}
		if d.limits.Bytes > 0 {
			bytes += d.size(&d.items[i])
			if n > 0 && bytes > d.limits.Bytes {
				break
			}
		}
		n++
	}
	return pending[:n], pending[n:]
}

func (d *delivery[T]) pick(batch []int) []T {
	items := make([]T, len(batch))
	for k, i := range batch {
		items[k] = d.items[i]
	}
	return items
}

// fail sets the error of those that were never tried.
func (d *delivery[T]) fail(batch []int, errs []error, err error) {
	for _, i := range batch {
		if errs[i] == nil {
			errs[i] = err
		}
	}
}

// Backoff is a random time between half of base doubled n times and all of it.
func Backoff(base, longest time.Duration, n int) time.Duration {
	d := longest
	if base < longest>>n { // base<<n may be more than there is room for.
		d = base << n
	}
	return d/2 + rand.N(d/2+1)
}

// pause waits; it reports false when ctx ends first, or would.
func pause(ctx context.Context, base time.Duration, n int) bool {
	d := Backoff(base, maxBackoff, n)
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Outcomes reads the reply to a batch whose entries have the ids that EntryID
// gave them. An entry that the reply does not name has failed.
type Outcomes []error

// NewOutcomes returns those of n entries that are not named yet.
func NewOutcomes(n int) Outcomes {
	o := make(Outcomes, n)
	for i := range o {
		o[i] = errNoOutcome
	}
	return o
}

// EntryID is the id of the entry i of a batch.
func EntryID(i int) *string {
	id := strconv.Itoa(i)
	return &id
}

// Set sets the outcome of the entry with an id; one that nobody gave is ignored.
func (o Outcomes) Set(id *string, err error) {
	if id == nil {
		return
	}
	if i, e := strconv.Atoi(*id); e == nil && i >= 0 && i < len(o) {
		o[i] = err
	}
}
