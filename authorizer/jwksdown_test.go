package authorizer_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu/authorizer"
)

func TestStaleKeysServeWhileIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		src, kid := f.source(t), f.iss.KeyID()
		requireKeys(t, src, kid, kid)
		f.requireFetches(t, 1)
		f.set(func() { f.down = true })
		time.Sleep(time.Hour)
		for range 100 { // 100 calls in 10 s: one fetch.
			requireKeys(t, src, kid, kid)
			time.Sleep(100 * time.Millisecond)
		}
		f.requireFetches(t, 1)
		time.Sleep(48 * time.Hour)
		requireKeys(t, src, kid, kid)
		// A new key may be behind an unknown id: that is no client's fault.
		requireUnavailable(t, src, "unknown")
		f.requireFetches(t, 1)

		f.set(func() { f.down = false })
		if err := f.iss.Rotate(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		requireKeys(t, src, f.iss.KeyID(), f.iss.KeyID())
		f.requireFetches(t, 1)
		requireKeys(t, src, "unknown")
	})
}

// While the issuer hangs, one caller in a window waits for it, and no other.
func TestHangingIssuerDelaysOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		src, kid := f.source(t), f.iss.KeyID()
		requireKeys(t, src, kid, kid)
		f.set(func() { f.takes = time.Hour })
		time.Sleep(time.Hour)
		requireKeys(t, src, kid, kid) // Learns that the issuer hangs.
		time.Sleep(10 * time.Second)

		var mu sync.Mutex
		waited := 0
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				start := time.Now()
				requireKeys(t, src, kid, kid)
				if took := time.Since(start); took > 0 {
					mu.Lock()
					waited++
					mu.Unlock()
					if took != 5*time.Second {
						t.Errorf("waited %v, want the time-out", took)
					}
				}
			})
		}
		wg.Wait()
		if waited != 1 {
			t.Errorf("%d callers waited", waited)
		}
	})
}

func TestIssuerDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		f.down = true
		src, kid := f.source(t), f.iss.KeyID()
		for range 10 {
			requireUnavailable(t, src, kid)
		}
		f.requireFetches(t, 1)
		// Nobody can connect meanwhile: it is tried again soon.
		f.set(func() { f.down = false })
		time.Sleep(time.Second)
		requireKeys(t, src, kid, kid)
		f.requireFetches(t, 1)
	})
}

func TestFailedFetchIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := newFakeIssuer(t)
		src := f.source(t, func(o *authorizer.JWKSOptions) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		kid := f.iss.KeyID()
		requireKeys(t, src, kid, kid)
		if log.Len() > 0 {
			t.Errorf("a good fetch is logged: %s", log.String())
		}
		f.set(func() { f.down = true })
		time.Sleep(time.Hour)
		requireKeys(t, src, kid, kid)
		got := log.String()
		for _, want := range []string{"level=WARN", "key set not fetched", "id.example.com", "connection refused"} {
			if !strings.Contains(got, want) {
				t.Errorf("log %q does not hold %q", got, want)
			}
		}
		if strings.Contains(got, "jwks.json") || strings.Contains(got, kid) || strings.Count(got, "\n") != 1 {
			t.Errorf("log is %q", got)
		}
	})
}
