package gateway

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// due is called when one of the socket's long deadlines may have come. It
// returns when the next one may (ms), and whether the row is to be renewed; 0
// when the socket is closing. stall says that the process has been suspended.
func (s *socket) due(now int64, stall bool) (next int64, renew bool) {
	o := &s.g.opts
	next = now + time.Hour.Milliseconds()
	if conn, _ := s.who(); !conn.AuthExpiresAt.IsZero() {
		at := conn.AuthExpiresAt.UnixMilli()
		if now >= at {
			s.close(sumu.CloseTokenExpired, "token expired",
				closingFrame("token_expired", "the token has expired; connect again with a new one"))
			return 0, false
		}
		next = min(next, at)
	}
	if o.MaxAge > 0 {
		old := s.conn.ConnectedAt.Add(o.MaxAge).UnixMilli()
		if now >= old {
			s.close(ws.CloseGoingAway, "maximum age reached")
			return 0, false
		}
		next = min(next, old)
	}
	if o.IdleTimeout > 0 {
		last, _ := s.lastReceived(now)
		if o.apiGateway {
			last = max(last, s.wrote.Load())
		}
		idle := last + o.IdleTimeout.Milliseconds()
		if now >= idle {
			s.close(ws.CloseGoingAway, "idle timeout")
			return 0, false
		}
		next = min(next, idle)
	}
	if o.PingInterval > 0 {
		again, alive := s.check(now, stall)
		if !alive {
			s.abort(abnormal("no answer to a ping"))
			return 0, false
		}
		next = min(next, again)
	}
	if at := s.renewAt.Load(); at > 0 {
		if renew = now >= at; renew {
			at = s.nextRenewal(now)
			s.renewAt.Store(at)
		}
		next = min(next, at)
	}
	return next, renew
}

// stalled is called every second while one of the socket's short deadlines
// runs. It returns false when none does.
func (s *socket) stalled(now int64) bool {
	o := &s.g.opts
	read, write, end := s.readSince.Load(), s.writeSince.Load(), s.closeBy.Load()
	switch {
	case write > 0 && now-write >= o.WriteTimeout.Milliseconds():
		s.abort(abnormal("client does not read"))
	case end > 0 && now >= end:
		s.abort(abnormal("client does not close"))
	case end == 0 && read > 0 && now-read >= o.ReadTimeout.Milliseconds():
		s.close(ws.ClosePolicy, "message did not end in time")
	}
	return read|write|end != 0
}

// nextRenewal is a little before half of RowTTL, and not the same for all that
// connected together.
func (s *socket) nextRenewal(now int64) int64 {
	half := s.g.app.RowTTL().Milliseconds() / 2
	return now + half - rand.Int64N(half/5+1)
}

// maxStoreCall bounds one call of the store for a socket that is open or gone.
const maxStoreCall = 10 * time.Second

// renew prolongs the socket's row.
func (g *Gateway) renew(s *socket) {
	ctx, cancel := context.WithTimeout(g.ctx, maxStoreCall)
	defer cancel()
	conn, _ := s.who()
	err := g.app.Renew(ctx, conn)
	switch {
	case err == nil:
	case errors.Is(err, sumu.ErrGone):
		// Nobody would push to it any more. The client is to connect again.
		s.close(ws.CloseGoingAway, "connection's row is gone")
	default:
		g.renewErrors.Add(ctx, g.opts.Logger, slog.LevelWarn, 1, "rows of connections were not renewed", "connection", s.conn.ID, "err", err)
		// Several times before the row expires; then it is gone.
		again := g.now() + max(g.app.RowTTL().Milliseconds()/16, 1000)
		s.renewAt.Store(again)
		g.wheel.hasten(s, again)
	}
}

// removeRow tells the app that a connection has ended. It tries a few times:
// a row that stays is a user who seems to be online until it expires.
func (g *Gateway) removeRow(c sumu.Connection, reason sumu.DisconnectReason) {
	g.removals <- struct{}{}
	defer func() { <-g.removals }()
	wait := 100 * time.Millisecond
	for try := 1; ; try++ {
		// Not g.ctx: a shutdown by force still tries once.
		ctx, cancel := context.WithTimeout(context.Background(), maxStoreCall)
		err := g.app.Disconnect(ctx, c, reason)
		cancel()
		if err == nil {
			return
		}
		if try == maxRemovalTries || !sumu.Retryable(err) || !g.pause(wait) {
			g.removeErrors.Add(ctx, g.opts.Logger, slog.LevelError, 1, "rows of connections were not removed; they stay until they expire",
				"connection", c.ID, "tries", try, "err", err)
			return
		}
		wait *= 4
	}
}

const maxRemovalTries = 4

// pause returns false when the gateway is ended by force.
func (g *Gateway) pause(d time.Duration) bool {
	select {
	case <-g.opts.sleep(d):
		return true
	case <-g.ctx.Done():
		return false
	}
}
