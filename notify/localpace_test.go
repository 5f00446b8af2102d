package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

// A crowd that reads at its pace gets everything, also when that takes much
// longer than Timeout: whoever sends waits for it. A socket that takes nothing
// is given up alone.
func TestLocalKeepsTheCrowdsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowd, flood = 20, 200
		s, dead := newSockets(t, crowd+1), new(deadLetters)
		s.allow("u0", 0) // It never reads.
		for i := range crowd {
			s.allow(fmt.Sprint("u", i+1), 12)
		}
		l := s.local(t, 5, dead, func(o *notify.LocalOptions) { o.Queue = 20 })
		reading, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		readers.Go(func() {
			for reading.Err() == nil {
				time.Sleep(500 * time.Millisecond)
				s.mu.Lock()
				for id, room := range s.room {
					if id != "u0" && room < 12 {
						s.room[id]++
					}
				}
				s.mu.Unlock()
			}
		})
		start := time.Now()
		for i := range flood {
			sendAll(t, l, note(fmt.Sprint(i)))
		}
		if d := time.Since(start); d < time.Minute {
			t.Errorf("%d were accepted in %v; want the sender to wait for the crowd", flood, d)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		readers.Wait()
		for i := range crowd {
			if got := s.taken(fmt.Sprint("u", i+1)); got != flood {
				t.Errorf("socket %d has %d; want %d", i+1, got, flood)
			}
		}
		if s.taken("u0") != 0 || dead.count() != flood {
			t.Errorf("%d are given up; want all %d, for the socket that never reads", dead.count(), flood)
		}
		if refused, _ := s.counts(); refused > 20*crowd*flood {
			t.Errorf("%d posts were refused for %d that were taken", refused, crowd*flood)
		}
	})
}

// What waits for a slow connection is bounded in bytes, and makes room for
// others when it has waited long enough.
func TestLocalBoundsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dead := newSockets(t, 2), new(deadLetters)
		s.allow("u0", 0)
		l := s.local(t, 5, dead, func(o *notify.LocalOptions) { o.Bytes = 1 << 20 })
		big := json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`)
		start := time.Now()
		for i := range 30 {
			n := toUser(fmt.Sprint(i), "u0")
			n.Data = big
			sendAll(t, l, n)
			synctest.Wait()
		}
		if d := time.Since(start); d < 19*time.Second || d > 40*time.Second {
			t.Errorf("3 MB for a slow connection were accepted in %v; want room for 1 MiB every 10 s", d)
		}
		n := toUser("fast", "u1")
		n.Data = big
		sendAll(t, l, n)
		synctest.Wait()
		if s.taken("u1") != 1 {
			t.Error("the other socket has nothing")
		}
		if n := dead.count(); n < 20 || n > 24 {
			t.Errorf("%d are given up; want as many as had to make room", n)
		}
		for id, errs := range dead.errs {
			if len(errs) != 1 || !errors.Is(errs[0], sumu.ErrThrottled) {
				t.Errorf("%s is given up with %v; want each once, as throttled", id, errs)
			}
		}
		s.allow("u0", -1)
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := s.taken("u0") + dead.count(); got != 30 {
			t.Errorf("%d are delivered or given up; want 30", got)
		}
	})
}

// A store that fails for a while loses nothing, and one that fails for longer
// makes whoever sends wait.
func TestLocalWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		p := &fakePusher{respond: func(_ context.Context, n sumu.Notification) sumu.Result {
			if down.Load() {
				r := retry(n)
				return sumu.Result{ID: n.ID, Remainder: r.Remainder, Err: sumu.ErrUnavailable}
			}
			return sumu.Result{ID: n.ID, Targets: 1, Delivered: 1}
		}}
		dead := new(deadLetters)
		l := newLocal(t, p, func(o *notify.LocalOptions) { o.Queue = 3; o.Observer.DeadLetter = dead.add })
		send(t, l, "1", "2", "3")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := l.Send(ctx, note("4")); !errors.Is(err, sumu.ErrUnavailable) {
			t.Errorf("send while the store is down: %v; want ErrUnavailable", err)
		}
		down.Store(false)
		if err := l.Close(t.Context()); err != nil || dead.count() != 0 {
			t.Errorf("close: %v; given up: %v; want none", err, dead.errs)
		}
	})
}

// What is given up is logged by default: a line a second, and no count is lost.
func TestLocalLogsWhatItGivesUp(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	var b bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, nil)))
	synctest.Test(t, func(t *testing.T) {
		p := &fakePusher{respond: func(_ context.Context, n sumu.Notification) sumu.Result {
			if n.ID == "stuck" {
				return retry(n)
			}
			return sumu.Result{ID: n.ID, Err: sumu.ErrUnsupported}
		}}
		l := newLocal(t, p)
		n := note("1")
		n.Data = json.RawMessage(`"a payload"`)
		for range 500 {
			sendAll(t, l, n)
		}
		send(t, l, "stuck")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := l.Close(ctx); !errors.Is(err, sumu.ErrUnavailable) {
			t.Errorf("close: %v; want ErrUnavailable", err)
		}
	})
	lines, count := strings.Count(b.String(), "\n"), 0
	for _, m := range regexp.MustCompile(`level=WARN msg="notifications given up.* count=(\d+)`).FindAllStringSubmatch(b.String(), -1) {
		n, _ := strconv.Atoi(m[1])
		count += n
	}
	if lines > 2 || count != 501 || !strings.Contains(b.String(), "unsupported") || strings.Contains(b.String(), "a payload") {
		t.Errorf("%d lines that count %d; want at most 2 that count 501, with the reason and without data:\n%s", lines, count, b.String())
	}
}
