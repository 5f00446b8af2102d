package gateway_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
		w, add := gateway.NewWorkers(most, few, n, func(i int) int {
			<-turn
			served[i]++
			return 1
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

// A worker pauses for as long as it works, if there is more work by the time that
// it comes to a socket; and not for the last of it.
func TestWorkersPauseWhileWorkIsJoined(t *testing.T) {
	for _, tt := range []struct {
		name   string
		comes  bool
		joined int
		want   int // times the work
	}{
		{"joined", true, 2, 2},
		{"one by one", true, 1, 1},
		{"no more comes", false, 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n, work = 10*gateway.Look + 1, time.Microsecond
				var w *gateway.Workers
				var add func(int)
				w, add = gateway.NewWorkers(1, 1, n, func(int) int {
					if tt.comes {
						w.Comes()
					}
					time.Sleep(work)
					return tt.joined
				})
				began := time.Now()
				for i := range n {
					add(i)
				}
				for w.Running() > 0 {
					time.Sleep(work)
				}
				took := time.Since(began) / (gateway.Look * work)
				if want := time.Duration(10 * tt.want); took < want-1 || took > want+1 {
					t.Errorf("it took %d times as long as %d sockets, want %d", took, gateway.Look, want)
				}
			})
		})
	}
}
