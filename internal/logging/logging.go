// Package logging is where errors go that nobody else is told of.
package logging

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Or returns l; when it is nil, a logger that hands warnings and errors to
// [slog.Default], whichever that is at the time of the record.
func Or(l *slog.Logger) *slog.Logger {
	if l == nil {
		return byDefault
	}
	return l
}

var byDefault = slog.New(defaultHandler{})

// defaultHandler derives the default's handler anew for each record: what a
// program sets up in main counts also for what was constructed before.
type defaultHandler struct {
	derive func(slog.Handler) slog.Handler // attributes and groups; nil: none
}

func (h defaultHandler) handler() slog.Handler {
	if h.derive == nil {
		return slog.Default().Handler()
	}
	return h.derive(slog.Default().Handler())
}

func (h defaultHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && slog.Default().Handler().Enabled(ctx, level)
}

func (h defaultHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.handler().Handle(ctx, r)
}

func (h defaultHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(of slog.Handler) slog.Handler { return of.WithAttrs(attrs) })
}

func (h defaultHandler) WithGroup(name string) slog.Handler {
	return h.with(func(of slog.Handler) slog.Handler { return of.WithGroup(name) })
}

func (h defaultHandler) with(next func(slog.Handler) slog.Handler) slog.Handler {
	before := h.derive
	return defaultHandler{func(of slog.Handler) slog.Handler {
		if before != nil {
			of = before(of)
		}
		return next(of)
	}}
}

// Summary logs a kind of failure that may come in floods: one line a second at
// most, which counts those since the line before. The zero value is ready.
type Summary struct {
	mu    sync.Mutex
	count int
	next  time.Time
	line  func(ctx context.Context, count int) // without args
}

// summaryEvery is the pause between two lines of a [Summary].
const summaryEvery = time.Second

// Add counts n failures and, if a line is due, logs it at level: text, the count
// of failures since the last line, and args, which tell of the latest. It
// reports whether it did.
func (s *Summary) Add(ctx context.Context, l *slog.Logger, level slog.Level, n int, text string, args ...any) bool {
	if n == 0 {
		return false
	}
	now := time.Now()
	s.mu.Lock()
	s.count += n
	due := !now.Before(s.next)
	if due {
		n, s.count, s.next = s.count, 0, now.Add(summaryEvery)
	} else if s.line == nil {
		s.line = func(ctx context.Context, count int) { l.Log(ctx, level, text, "count", count) }
	}
	s.mu.Unlock()
	if due {
		l.Log(ctx, level, text, append([]any{"count", n}, args...)...)
	}
	return due
}

// Flush logs what was counted since the last line, if anything was.
func (s *Summary) Flush(ctx context.Context) {
	s.mu.Lock()
	n, line := s.count, s.line
	s.count = 0
	s.mu.Unlock()
	if n > 0 {
		line(ctx, n)
	}
}
