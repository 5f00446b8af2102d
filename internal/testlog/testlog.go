// Package testlog writes what our own tests make the packages log and report,
// at debug level, to a folder. make test looks there for tokens, signatures and
// payloads, none of which may ever be logged.
package testlog

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// Folder is the variable that names the folder. Without it nothing is written.
const Folder = "SUMU_TEST_LOGS"

var logger = sync.OnceValue(func() *slog.Logger {
	dir := os.Getenv(Folder)
	if dir == "" {
		return slog.New(slog.DiscardHandler)
	}
	f, err := os.CreateTemp(dir, "test-*.log") // One for each test binary; closed at its end.
	if err != nil {
		panic(err)
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
})

// Logger returns the log of this test binary.
func Logger() *slog.Logger { return logger() }

// Quiet makes it [slog.Default], for tests that provoke errors: those go there
// unless a package is told otherwise. Call it in TestMain.
func Quiet() { slog.SetDefault(Logger()) }

// Observer returns an observer that logs all that it is told.
func Observer() sumu.Observer {
	log := Logger()
	return sumu.Observer{
		Connected: func(_ context.Context, c sumu.Connection) { log.Debug("connected", "connection", c) },
		Refused: func(_ context.Context, id, ip string, err error) {
			log.Debug("refused", "connection", id, "ip", ip, "err", err)
		},
		Disconnected: func(_ context.Context, c sumu.Connection, r sumu.DisconnectReason, err error) {
			log.Debug("disconnected", "connection", c, "reason", r, "err", err)
		},
		Message: func(_ context.Context, c sumu.Connection, route string, _ time.Duration, err error) {
			log.Debug("message", "connection", c, "route", route, "err", err)
		},
		Posted: func(_ context.Context, target sumu.ConnectionRef, id string, err error) {
			log.Debug("posted", "target", target, "id", id, "err", err)
		},
		Pruned: func(_ context.Context, target sumu.ConnectionRef, err error) {
			log.Debug("pruned", "target", target, "err", err)
		},
		Pushed: func(_ context.Context, r sumu.Result) {
			log.Debug("pushed", "id", r.ID, "targets", r.Targets, "failures", r.Failures, "err", r.Err)
		},
		DeadLetter: func(_ context.Context, n sumu.Notification, err error) {
			log.Debug("dead letter", "key", n.Key(), "err", err)
		},
		Presence: func(_ context.Context, e sumu.PresenceEvent) { log.Debug("presence", "event", e.ID()) },
	}
}
