package logging_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu/internal/logging"
)

// capture makes slog.Default write to the buffer until the test ends.
func capture(t *testing.T) *bytes.Buffer {
	t.Helper()
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	var b bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return &b
}

func TestOr(t *testing.T) {
	early := logging.Or(nil).With("part", "a").WithGroup("g").With("b", 1) // Before the program has set its logger.
	out := capture(t)
	early.Debug("debugging")
	early.Info("told")
	early.Warn("warned", "c", 2)
	early.Error("failed")
	got := out.String()
	for _, want := range []string{"level=WARN msg=warned part=a g.b=1 g.c=2", "level=ERROR msg=failed part=a g.b=1"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log is %q; want %q in it", got, want)
		}
	}
	if n := strings.Count(got, "\n"); n != 2 {
		t.Errorf("%d lines; want warnings and errors only:\n%s", n, got)
	}

	var own bytes.Buffer
	logging.Or(slog.New(slog.NewTextHandler(&own, nil))).Info("told")
	if !strings.Contains(own.String(), "msg=told") || out.String() != got {
		t.Errorf("a logger of one's own wrote %q, and the default %q", own.String(), out.String()[len(got):])
	}
}

func TestSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log := slog.New(slog.NewTextHandler(&b, nil))
		var s logging.Summary
		add := func(n int) bool { return s.Add(t.Context(), log, slog.LevelWarn, n, "lost", "id", n) }
		if add(0) || !add(1) || add(2) || add(3) {
			t.Error("want the first line at once, and no other within a second")
		}
		time.Sleep(time.Second)
		if !add(4) || add(5) {
			t.Error("want one line after a second")
		}
		s.Flush(t.Context())
		s.Flush(t.Context())
		var lines []string
		for line := range strings.Lines(b.String()) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "msg=")
			lines = append(lines, line)
		}
		if got, want := strings.Join(lines, "; "), "lost count=1 id=1; lost count=9 id=4; lost count=5"; got != want {
			t.Errorf("lines %q; want %q", got, want)
		}
	})
}
