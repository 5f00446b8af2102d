package sqsnotify_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// A message that fails, or panics, fails alone; in a group with all behind it.
func TestEach(t *testing.T) {
	var called []string
	handle := sqsnotify.Each(func(_ context.Context, d sumu.Delivery) error {
		called = append(called, d.MessageID)
		switch string(d.Body) {
		case "bad":
			return errors.New("bad")
		case "panic":
			panic("oops")
		}
		return nil
	})
	outcomes := handle(t.Context(),
		sumu.Delivery{MessageID: "1"},
		sumu.Delivery{MessageID: "2", Body: []byte("bad")},
		sumu.Delivery{MessageID: "3"},
		sumu.Delivery{MessageID: "4", Group: "g", Body: []byte("panic")},
		sumu.Delivery{MessageID: "5", Group: "g"},
		sumu.Delivery{MessageID: "6", Group: "h"},
	)
	if want := []string{"1", "2", "3", "4", "6"}; !slices.Equal(called, want) {
		t.Errorf("called with %v; want %v", called, want)
	}
	var failed []int
	for i, o := range outcomes {
		if o.Err != nil {
			failed = append(failed, i+1)
		}
	}
	if want := []int{2, 4, 5}; !slices.Equal(failed, want) {
		t.Errorf("failed: %v; want %v", failed, want)
	}
	var cause *sumu.PanicError
	if !errors.As(outcomes[3].Err, &cause) {
		t.Errorf("a panic is %v", outcomes[3].Err)
	}
}

// What a backend's own handler needs may be down too: it says so by ErrUnavailable.
func TestEachFaults(t *testing.T) {
	down := &sumu.Error{Op: "orders", Kind: sumu.ErrUnavailable, Err: errors.New("connection refused")}
	handle := sqsnotify.Each(func(_ context.Context, d sumu.Delivery) error {
		switch string(d.Body) {
		case "down":
			return down
		case "panic":
			panic("oops")
		}
		return errors.New("bad")
	})
	outcomes := handle(t.Context(),
		sumu.Delivery{Group: "g", Body: []byte("down")},
		sumu.Delivery{Group: "g"},
		sumu.Delivery{Group: "h", Body: []byte("panic")},
		sumu.Delivery{Group: "h"},
		sumu.Delivery{Group: "i"},
		sumu.Delivery{Group: "i", Body: []byte("down")},
		sumu.Delivery{Body: []byte("down")},
	)
	for i, want := range []bool{true, true, false, false, false, false, true} {
		if o := outcomes[i]; o.Err == nil || o.Fault != want {
			t.Errorf("outcome %d is %+v, want a fault: %v", i, o, want)
		}
	}
}
