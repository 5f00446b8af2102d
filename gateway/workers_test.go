package gateway_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sumu-live/sumu/gateway"
)

// While work keeps coming there are few workers, so that more of it is joined;
// once it stops there are all, and each socket is served once.
func TestFewWorkersWhileWorkComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, few = 5, 2
		const n = 12 * most * gateway.Look
		served := make([]int, n)
		turn := make(chan struct{})
		w, add := gateway.NewWorkers(most, few, n, func(i int) {
			<-turn
			served[i]++
		})
		for i := range n {
			add(i)
		}
		step := func(comes bool) {
			if comes {
				w.Comes()
			}
			turn <- struct{}{}
			synctest.Wait()
		}
		expect := func(when string, want int) {
			t.Helper()
			if got := w.Running(); got != want {
				t.Fatalf("%s there are %d workers, want %d", when, got, want)
			}
		}
		expect("at first", few)
		for range 2 * most * gateway.Look {
			step(true)
			expect("while work comes", few)
		}
		for range 2 * most * gateway.Look {
			step(false)
		}
		expect("when no more comes", most)
		for range 2 * most * gateway.Look {
			step(true)
		}
		expect("when work comes again", few)
		for range n - 6*most*gateway.Look {
			step(false)
		}
		expect("at the end", 0)
		if slices.ContainsFunc(served, func(times int) bool { return times != 1 }) {
			t.Errorf("sockets were served so often: %v", served)
		}
	})
}
