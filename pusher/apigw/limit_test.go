package apigw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// account is an API Gateway that takes so many requests a second, with a
// bucket of a tenth of that, and whose slow clients take none.
type account struct {
	rate float64
	slow func(path string) bool
	took time.Duration // for one request

	mu       sync.Mutex
	tokens   float64
	filled   time.Time
	taken    int
	throttle int
}

func (a *account) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(a.took) // In a bubble: no time passes.
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.rate > 0 {
		if !a.filled.IsZero() {
			a.tokens = min(a.tokens+a.rate*now.Sub(a.filled).Seconds(), a.rate/10)
		}
		a.filled = now
	}
	status := http.StatusOK
	switch {
	case a.rate > 0 && a.tokens < 1, a.slow != nil && a.slow(r.URL.Path):
		status = http.StatusTooManyRequests
		a.throttle++
	default:
		a.tokens--
		a.taken++
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}, nil
}

// counts returns what was taken and throttled since it was asked last.
func (a *account) counts() (taken, throttled int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken, throttled = a.taken, a.throttle
	a.taken, a.throttle = 0, 0
	return taken, throttled
}

// flood posts to many connections, with so many in flight, until ctx ends.
func flood(ctx context.Context, t *testing.T, s *apigw.Sender, inFlight int) *sync.WaitGroup {
	var wg sync.WaitGroup
	var n atomic.Int64
	p := payload(t, testText)
	for range inFlight {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := s.Post(ctx, conn(fmt.Sprintf("c%d", n.Add(1)%1000)), p)
				if err != nil && !errors.Is(err, sumu.ErrThrottled) && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return &wg
}

// rates collects what RateChanged tells.
type rates struct {
	mu  sync.Mutex
	all []float64
}

func (r *rates) note(v float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, v)
}

func (r *rates) last() (v float64, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		return 0, 0
	}
	return r.all[len(r.all)-1], len(r.all)
}

func TestThrottledAccountIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{rate: 500, took: 40 * time.Millisecond}
		var told rates
		s := newSender(t, at("https://ws.example.com"), func(o *apigw.Options) { o.Transport, o.RateChanged = a, told.note })
		ctx, cancel := context.WithCancel(t.Context())
		wg := flood(ctx, t, s, 64) // 1,600 a second
		time.Sleep(5 * time.Second)
		a.counts()
		time.Sleep(20 * time.Second)
		taken, throttled := a.counts()
		t.Logf("of %d posts in 20s %d were throttled", taken+throttled, throttled)
		if throttled*10 > taken {
			t.Errorf("%d posts were taken and %d throttled: the sender does not slow down", taken, throttled)
		}
		if taken < 20*500*7/10 {
			t.Errorf("%d posts were taken, of 10000 possible", taken)
		}

		// The account has room again: the rate rises, and the limit goes.
		a.mu.Lock()
		a.rate = 0
		a.mu.Unlock()
		time.Sleep(30 * time.Second)
		a.counts()
		time.Sleep(time.Second)
		if taken, _ := a.counts(); taken < 1500 {
			t.Errorf("%d posts in a second, after throttling is over; 1600 are possible", taken)
		}
		if rate, _ := told.last(); rate != 0 {
			t.Errorf("the limit is %v; it should be gone", rate)
		}
		cancel()
		wg.Wait()
	})
}

// Clients that read too slowly are no reason to make the others wait, however
// many there are.
func TestSlowClientsSlowNobody(t *testing.T) {
	for name, slow := range map[string]func(string) bool{
		"one": func(path string) bool { return path == "/@connections/c7" },
		// Some 20 of 1,000, one after the other.
		"few of many": func(path string) bool { return path >= "/@connections/c900" && path < "/@connections/c920" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &account{took: 40 * time.Millisecond, slow: slow}
				var told rates
				s := newSender(t, at("https://ws.example.com"), func(o *apigw.Options) { o.Transport, o.RateChanged = a, told.note })
				ctx, cancel := context.WithCancel(t.Context())
				wg := flood(ctx, t, s, 64)
				time.Sleep(10*time.Second + time.Millisecond)
				cancel()
				wg.Wait()
				taken, throttled := a.counts()
				if rate, n := told.last(); n > 0 {
					t.Errorf("the limit became %v for %d throttled posts of %d", rate, throttled, taken)
				}
				if throttled == 0 || taken+throttled < 10*1600 {
					t.Errorf("%d posts were taken and %d throttled, want %d", taken, throttled, 10*1600)
				}
			})
		})
	}
}

// One slow client is asked again and again, with nothing else going on: that is
// still one client.
func TestOneConnectionIsNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{slow: func(string) bool { return true }}
		var told rates
		s := newSender(t, at("https://ws.example.com"), func(o *apigw.Options) { o.Transport, o.RateChanged = a, told.note })
		for range 100 {
			wantKind(t, post(t, s), sumu.ErrThrottled)
		}
		if rate, n := told.last(); n > 0 {
			t.Errorf("the limit became %v", rate)
		}
		// Two more are few, however often they are asked; a fourth makes it the account.
		for _, id := range []string{"b", "c", "d"} {
			if rate, n := told.last(); n > 0 {
				t.Errorf("the limit became %v before %s was asked", rate, id)
			}
			for range 10 {
				if err := s.Post(t.Context(), conn(id), payload(t, testText)); !errors.Is(err, sumu.ErrThrottled) {
					t.Error(err)
				}
			}
		}
		if rate, n := told.last(); n != 1 || rate < 10 {
			t.Errorf("told %d times of a limit, the last %v", n, rate)
		}
	})
}

// What was in flight when the rate fell was sent at the rate before.
func TestOneStepForOneBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{took: time.Millisecond, slow: func(string) bool { return true }}
		var told rates
		s := newSender(t, at("https://ws.example.com"), func(o *apigw.Options) { o.Transport, o.RateChanged = a, told.note })
		p := payload(t, testText)
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				if err := s.Post(t.Context(), conn(fmt.Sprintf("c%d", i)), p); !errors.Is(err, sumu.ErrThrottled) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if rate, n := told.last(); n != 1 || rate != 350 {
			t.Errorf("told %d times of a limit, the last %v; want one of 350", n, rate)
		}
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{took: time.Millisecond}
		s := newSender(t, at("https://ws.example.com"), func(o *apigw.Options) { o.Transport, o.RateLimit = a, 200 })
		ctx, cancel := context.WithCancel(t.Context())
		wg := flood(ctx, t, s, 64)
		time.Sleep(10 * time.Second)
		cancel()
		wg.Wait()
		// The slack is 50 ms of the rate.
		if taken, _ := a.counts(); taken < 1900 || taken > 2000+10+64 {
			t.Errorf("%d posts in 10s, want 2000", taken)
		}
	})
}

func TestHeldBackPostEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{}
		s := newSender(t, at("https://ws.example.com"), func(o *apigw.Options) { o.Transport, o.RateLimit = a, 10 })
		for range 5 {
			_ = post(t, s)
		}
		a.counts()
		begin := time.Now()
		// The turn is after the deadline: no reason to wait for it.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := s.Post(ctx, conn(testID), payload(t, testText))
		wantKind(t, err, sumu.ErrThrottled)
		if d := time.Since(begin); d != 0 {
			t.Errorf("it took %v to see that there is no time", d)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		err = s.Post(ctx, conn(testID), payload(t, testText))
		wantKind(t, err, sumu.ErrThrottled)
		if !errors.Is(err, context.Canceled) || time.Since(begin) != 10*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if taken, _ := a.counts(); taken != 0 {
			t.Errorf("%d posts were made", taken)
		}
	})
}
