package authorizer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
)

// fakeIssuer answers requests without a socket, so that time can be faked.
type fakeIssuer struct {
	mu      sync.Mutex
	iss     *issuer.Issuer
	takes   time.Duration // how long an answer takes
	down    bool
	header  http.Header
	fetches int

	t              testing.TB
	asCertificates bool // instead of a JWKS
}

func (f *fakeIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.fetches++
	takes, down := f.takes, f.down
	f.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if down {
		return nil, errors.New("connection refused")
	}
	doc := f.iss.JWKS()
	if f.asCertificates {
		doc = certificates(f.t, f.iss, time.Now(), time.Now().Add(24*time.Hour))
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     f.header,
		Body:       io.NopCloser(bytes.NewReader(doc)),
		Request:    r,
	}, nil
}

func (f *fakeIssuer) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// requireFetches fails when the issuer was not asked n times since the last call.
func (f *fakeIssuer) requireFetches(t *testing.T, n int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fetches != n {
		t.Errorf("%d fetches, want %d", f.fetches, n)
	}
	f.fetches = 0
}

func newFakeIssuer(t *testing.T) *fakeIssuer {
	return &fakeIssuer{t: t, iss: newIssuer(t, "EdDSA"), takes: time.Millisecond, header: http.Header{}}
}

func (f *fakeIssuer) source(t *testing.T, optFns ...func(*authorizer.JWKSOptions)) authorizer.KeySource {
	t.Helper()
	optFns = append([]func(*authorizer.JWKSOptions){func(o *authorizer.JWKSOptions) {
		o.HTTPClient = &http.Client{Transport: f}
	}}, optFns...)
	src, err := authorizer.JWKS("https://id.example.com/jwks.json", optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func requireKeys(t *testing.T, src authorizer.KeySource, kid string, want ...string) {
	t.Helper()
	if got := keyIDs(t, src, kid); !slices.Equal(got, want) {
		t.Errorf("keys for %q = %v, want %v", kid, got, want)
	}
}

func requireUnavailable(t *testing.T, src authorizer.KeySource, kid string) {
	t.Helper()
	keys, err := src.Keys(t.Context(), kid)
	if !errors.Is(err, sumu.ErrUnavailable) || !sumu.Retryable(err) || keys != nil {
		t.Errorf("keys for %q = %v, %v, want unavailable", kid, keys, err)
	}
}

func TestNothingIsFetchedBeforeTheFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		src := f.source(t)
		time.Sleep(time.Hour)
		f.requireFetches(t, 0)
		requireKeys(t, src, f.iss.KeyID(), f.iss.KeyID())
		f.requireFetches(t, 1)
	})
}

func TestMaxAgeIsHonoured(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"no header", http.Header{}, time.Hour},
		{"max-age", http.Header{"Cache-Control": {"public, max-age=7200"}}, 2 * time.Hour},
		{"max-age in another case", http.Header{"Cache-Control": {"MAX-AGE=\"7200\""}}, 2 * time.Hour},
		{"two lines", http.Header{"Cache-Control": {"public", "max-age=7200"}}, 2 * time.Hour},
		{"minus what a cache used up", http.Header{"Cache-Control": {"max-age=7200"}, "Age": {"1800"}}, 90 * time.Minute},
		{"used up", http.Header{"Cache-Control": {"max-age=7200"}, "Age": {"7300"}}, time.Minute},
		{"too short", http.Header{"Cache-Control": {"max-age=1"}}, time.Minute},
		{"zero", http.Header{"Cache-Control": {"max-age=0"}}, time.Minute},
		{"no-store", http.Header{"Cache-Control": {"no-store, max-age=7200"}}, time.Minute},
		{"no-cache", http.Header{"Cache-Control": {"max-age=7200, no-cache"}}, time.Minute},
		{"too long", http.Header{"Cache-Control": {"max-age=31536000"}}, 24 * time.Hour},
		{"out of range", http.Header{"Cache-Control": {"max-age=99999999999999999999999"}}, 24 * time.Hour},
		{"not a number", http.Header{"Cache-Control": {"max-age=soon"}}, time.Hour},
		{"negative", http.Header{"Cache-Control": {"max-age=-5"}}, time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeIssuer(t)
				f.header = tc.header
				src, kid := f.source(t), f.iss.KeyID()
				requireKeys(t, src, kid, kid)
				f.requireFetches(t, 1)
				time.Sleep(tc.want - time.Millisecond)
				requireKeys(t, src, kid, kid)
				f.requireFetches(t, 0)
				time.Sleep(time.Millisecond)
				requireKeys(t, src, kid, kid)
				f.requireFetches(t, 1)
			})
		})
	}
}

func TestRotatedKeyIsFetchedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		src, first := f.source(t), f.iss.KeyID()
		requireKeys(t, src, first, first)
		if err := f.iss.Rotate(); err != nil {
			t.Fatal(err)
		}
		second := f.iss.KeyID()
		requireKeys(t, src, second, second)
		f.requireFetches(t, 2)
		requireKeys(t, src, first, first)

		// A key that the issuer has dropped is dropped with the next set.
		f.iss.Retire()
		requireKeys(t, src, first, first)
		f.requireFetches(t, 0)
		time.Sleep(time.Hour)
		requireKeys(t, src, first)
		requireKeys(t, src, second, second)
	})
}

func TestUnknownKeysCauseOneFetchPerWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		src, kid := f.source(t), f.iss.KeyID()
		storm := func() {
			t.Helper()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					requireKeys(t, src, sumu.NewID())
					requireKeys(t, src, kid, kid)
				})
			}
			wg.Wait()
		}
		storm() // The first fetch answers all of them.
		f.requireFetches(t, 1)
		for range 3 {
			storm()
			f.requireFetches(t, 0)
			time.Sleep(10*time.Second - 2*time.Millisecond)
			storm()
			f.requireFetches(t, 0)
			time.Sleep(2 * time.Millisecond)
			storm()
			f.requireFetches(t, 1)
		}
		// The window opens for a real key as well.
		if err := f.iss.Rotate(); err != nil {
			t.Fatal(err)
		}
		requireKeys(t, src, f.iss.KeyID())
		time.Sleep(10 * time.Second)
		requireKeys(t, src, f.iss.KeyID(), f.iss.KeyID())
		f.requireFetches(t, 1)
	})
}

func TestAllCallersShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		f.takes = time.Second
		src, kid := f.source(t), f.iss.KeyID()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { requireKeys(t, src, kid, kid) })
		}
		wg.Wait()
		f.requireFetches(t, 1)
	})
}

func TestCancelledCallerFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		f.takes = time.Second
		src, kid := f.source(t), f.iss.KeyID()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			_, err := src.Keys(ctx, kid)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, sumu.ErrUnavailable) || errors.Is(err, sumu.ErrUnauthorized) {
				t.Errorf("the cancelled caller got %v", err)
			}
			if took := time.Since(start); took != 100*time.Millisecond {
				t.Errorf("the cancelled caller waited %v", took)
			}
		})
		synctest.Wait() // The first caller has begun the fetch.
		for range 10 {
			wg.Go(func() { requireKeys(t, src, kid, kid) })
		}
		time.Sleep(100 * time.Millisecond)
		cancel()
		wg.Wait()
		f.requireFetches(t, 1)
	})
}

// A fetch that everybody has given up ends with its time-out: the bubble
// fails when its goroutine outlives the test.
func TestAbandonedFetchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		f.takes = time.Hour
		src := f.source(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := src.Keys(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Keys = %v", err)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		f.set(func() { f.takes = 0 })
		requireUnavailable(t, src, "k") // Held: it failed just now.
		time.Sleep(time.Second)
		requireKeys(t, src, f.iss.KeyID(), f.iss.KeyID())
		f.requireFetches(t, 2)
	})
}

// The wall clock decides: a process that was frozen has no other.
func TestClockIsAnOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		now := testNow
		src := f.source(t, func(o *authorizer.JWKSOptions) { o.Now = func() time.Time { return now } })
		kid := f.iss.KeyID()
		requireKeys(t, src, kid, kid)
		time.Sleep(48 * time.Hour)
		requireKeys(t, src, kid, kid)
		f.requireFetches(t, 1)
		now = now.Add(time.Hour)
		requireKeys(t, src, kid, kid)
		f.requireFetches(t, 1)
	})
}
