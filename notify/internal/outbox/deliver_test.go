package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

var (
	throttled = &sumu.Error{Op: "entry", Kind: sumu.ErrThrottled}
	refused   = &sumu.Error{Op: "entry", Kind: sumu.ErrInvalid}
)

// recorder answers requests as a script says, and notes them.
type recorder struct {
	requests []string
	answer   func(request int, items []string) ([]error, error)
}

func (r *recorder) call(_ context.Context, items []string) ([]error, error) {
	r.requests = append(r.requests, strings.Join(items, " "))
	return r.answer(len(r.requests)-1, items)
}

func items(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return list
}

func size(s *string) int { return len(*s) }

func accept(_ int, items []string) ([]error, error) { return make([]error, len(items)), nil }

func TestDeliverBatches(t *testing.T) {
	for name, tt := range map[string]struct {
		items  []string
		limits outbox.Limits
		want   []string
	}{
		"by count":             {items(5), outbox.Limits{Count: 2, Tries: 1}, []string{"0 1", "2 3", "4"}},
		"by bytes":             {[]string{"aaa", "bb", "cccc", "d"}, outbox.Limits{Count: 9, Bytes: 5, Tries: 1}, []string{"aaa bb", "cccc d"}},
		"one over the limit":   {[]string{"a", "bbbbbb", "c"}, outbox.Limits{Count: 9, Bytes: 5, Tries: 1}, []string{"a", "bbbbbb", "c"}},
		"exactly at the limit": {[]string{"aaa", "bb"}, outbox.Limits{Count: 9, Bytes: 5, Tries: 1}, []string{"aaa bb"}},
		"none":                 {nil, outbox.Limits{Count: 9, Tries: 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := recorder{answer: accept}
			errs := outbox.Deliver(t.Context(), tt.items, size, tt.limits, r.call)
			if !slices.Equal(r.requests, tt.want) {
				t.Errorf("requests: got %q, want %q", r.requests, tt.want)
			}
			if len(errs) != len(tt.items) || errors.Join(errs...) != nil {
				t.Errorf("outcomes: %v", errs)
			}
		})
	}
}

// Only what failed and may succeed is tried again, after a pause that grows.
func TestDeliverRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		r := recorder{answer: func(request int, items []string) ([]error, error) {
			at = append(at, time.Since(start))
			errs := make([]error, len(items))
			for i, item := range items {
				switch {
				case item == "1", item == "3" && request == 0:
					errs[i] = throttled
				case item == "2":
					errs[i] = refused
				}
			}
			return errs, nil
		}}
		errs := outbox.Deliver(t.Context(), items(5), size, outbox.Limits{Count: 10, Tries: 3, Backoff: time.Second}, r.call)
		if want := []string{"0 1 2 3 4", "1 3", "1"}; !slices.Equal(r.requests, want) {
			t.Errorf("requests: got %q, want %q", r.requests, want)
		}
		for i, want := range []error{nil, throttled, refused, nil, nil} {
			if errs[i] != want {
				t.Errorf("outcome %d: got %v, want %v", i, errs[i], want)
			}
		}
		first, second := at[1]-at[0], at[2]-at[1]
		if first < time.Second/2 || first > time.Second || second < time.Second || second > 2*time.Second {
			t.Errorf("pauses: %v, %v", first, second)
		}
	})
}

func TestDeliverRetriesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{answer: func(request int, items []string) ([]error, error) {
			if request < 2 {
				return nil, throttled
			}
			return accept(request, items)
		}}
		errs := outbox.Deliver(t.Context(), items(3), size, outbox.Limits{Count: 2, Tries: 3, Backoff: time.Second}, r.call)
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		if want := []string{"0 1", "2", "0 1", "2"}; !slices.Equal(r.requests, want) {
			t.Errorf("requests: got %q, want %q", r.requests, want)
		}
	})
}

// A request that is refused for one of its entries does not take the others along.
func TestDeliverFindsTheBadOne(t *testing.T) {
	r := recorder{answer: func(_ int, items []string) ([]error, error) {
		if slices.Contains(items, "1") {
			return nil, refused
		}
		return make([]error, len(items)), nil
	}}
	errs := outbox.Deliver(t.Context(), items(4), size, outbox.Limits{Count: 3, Tries: 2, Backoff: time.Second}, r.call)
	for i, want := range []error{nil, refused, nil, nil} {
		if errs[i] != want {
			t.Errorf("outcome %d: got %v, want %v", i, errs[i], want)
		}
	}
	if want := []string{"0 1 2", "3", "0", "1", "2"}; !slices.Equal(r.requests, want) {
		t.Errorf("requests: got %q, want %q", r.requests, want)
	}
}

// What holds for all is not asked for each.
func TestDeliverGivesUpOnWhatHoldsForAll(t *testing.T) {
	for name, err := range map[string]error{
		"forbidden": &sumu.Error{Kind: sumu.ErrForbidden},
		"no queue":  outbox.EntryError("AWS.SimpleQueueService.NonExistentQueue", "", true),
		"no stream": outbox.EntryError("ResourceNotFoundException", "", true),
	} {
		r := recorder{answer: func(int, []string) ([]error, error) { return nil, err }}
		errs := outbox.Deliver(t.Context(), items(3), size, outbox.Limits{Count: 10, Tries: 3, Backoff: time.Second}, r.call)
		if len(r.requests) != 1 || !slices.Equal(errs, []error{err, err, err}) {
			t.Errorf("%s: requests %q, outcomes %v", name, r.requests, errs)
		}
	}
}

// A reply that does not name an entry proves nothing about it.
func TestDeliverDistrustsReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{answer: func(request int, items []string) ([]error, error) {
			if request == 0 {
				o := outbox.NewOutcomes(len(items))
				o.Set(outbox.EntryID(1), nil)
				o.Set(outbox.EntryID(7), nil)
				o.Set(nil, nil)
				return o, nil
			}
			return make([]error, len(items)-1), nil
		}}
		errs := outbox.Deliver(t.Context(), items(3), size, outbox.Limits{Count: 10, Tries: 2, Backoff: time.Second}, r.call)
		if want := []string{"0 1 2", "0 2"}; !slices.Equal(r.requests, want) {
			t.Errorf("requests: got %q, want %q", r.requests, want)
		}
		if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], sumu.ErrUnavailable) {
			t.Errorf("outcomes: %v", errs)
		}
	})
}

func TestDeliverEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := recorder{answer: func(request int, items []string) ([]error, error) {
			cancel()
			return []error{throttled, nil}, nil
		}}
		start := time.Now()
		errs := outbox.Deliver(ctx, items(4), size, outbox.Limits{Count: 2, Tries: 5, Backoff: time.Second}, r.call)
		if len(r.requests) != 1 || time.Since(start) > 0 {
			t.Errorf("requests %q, in %v", r.requests, time.Since(start))
		}
		if errs[0] != throttled || errs[1] != nil {
			t.Errorf("outcomes: %v", errs)
		}
		for _, err := range errs[2:] {
			if !errors.Is(err, context.Canceled) || !errors.Is(err, sumu.ErrUnavailable) || !sumu.Retryable(err) {
				t.Errorf("not tried: %v", err)
			}
		}
	})
}

// A pause that would outlast the caller's deadline is not begun.
func TestDeliverKeepsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		r := recorder{answer: func(int, []string) ([]error, error) { return nil, throttled }}
		start := time.Now()
		errs := outbox.Deliver(ctx, items(1), size, outbox.Limits{Count: 2, Tries: 5, Backoff: time.Second}, r.call)
		if errs[0] != throttled || time.Since(start) > 0 {
			t.Errorf("got %v after %v", errs[0], time.Since(start))
		}
	})
}

func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		base, longest time.Duration
		n             int
		want          time.Duration
	}{
		{time.Second, time.Minute, 0, time.Second},
		{time.Second, time.Minute, 3, 8 * time.Second},
		{time.Second, time.Minute, 6, time.Minute},
		{time.Second, time.Minute, 1000, time.Minute},
		{time.Hour, 11 * time.Hour, 25, 11 * time.Hour},
		{time.Hour, time.Minute, 0, time.Minute},
		{1, 1, 0, 1},
	} {
		for range 100 {
			if got := outbox.Backoff(tt.base, tt.longest, tt.n); got < tt.want/2 || got > tt.want {
				t.Errorf("%v, at most %v, %d times: got %v, want half of %v to all", tt.base, tt.longest, tt.n, got, tt.want)
			}
		}
	}
}
