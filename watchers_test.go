package sumu_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sumu-live/sumu"
)

// watcherFunc is a function as a PresenceWatcher.
type watcherFunc func(changes ...sumu.Change) ([]error, error)

func (f watcherFunc) Observe(_ context.Context, changes ...sumu.Change) ([]error, error) {
	return f(changes...)
}

func TestWatchers(t *testing.T) {
	e1, e2 := errors.New("one"), errors.New("two")
	var seen []int
	watch := func(each []error, err error) sumu.PresenceWatcher {
		return watcherFunc(func(changes ...sumu.Change) ([]error, error) {
			seen = append(seen, len(changes))
			return each, err
		})
	}
	changes := make([]sumu.Change, 3)

	each, err := sumu.Watchers().Observe(t.Context(), changes...)
	if err != nil || len(each) != 3 || slices.ContainsFunc(each, func(err error) bool { return err != nil }) {
		t.Errorf("nobody watches: %v, %v", each, err)
	}
	each, err = sumu.Watchers(watch(make([]error, 3), nil), watch(make([]error, 3), nil)).Observe(t.Context(), changes...)
	if err != nil || len(each) != 3 || errors.Join(each...) != nil || !slices.Equal(seen, []int{3, 3}) {
		t.Errorf("both are fine: %v, %v; they saw %v", each, err, seen)
	}
	// A change is dealt with when all have dealt with it.
	each, err = sumu.Watchers(watch([]error{e1, nil, nil}, e1), watch([]error{e2, nil, e2}, e2)).Observe(t.Context(), changes...)
	if len(each) != 3 || !errors.Is(each[0], e1) || !errors.Is(each[0], e2) || each[1] != nil || !errors.Is(each[2], e2) ||
		errors.Is(each[2], e1) || !errors.Is(err, e1) || !errors.Is(err, e2) {
		t.Errorf("both fail: %v, %v", each, err)
	}
	// Outcomes that are left out are failures, if there was one.
	each, err = sumu.Watchers(watch(nil, e1), watch(make([]error, 3), nil)).Observe(t.Context(), changes...)
	if len(each) != 3 || !errors.Is(each[0], e1) || !errors.Is(each[2], e1) || !errors.Is(err, e1) {
		t.Errorf("one breaks its contract: %v, %v", each, err)
	}
}
