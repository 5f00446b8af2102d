package gateway

import (
	"encoding/json"
	"fmt"

	"github.com/sumu-live/sumu/internal/ws"
)

// pace is how a socket keeps to [Options.MessageRate]. It belongs to whoever
// reads the socket.
type pace struct {
	paid    int64  // see rate
	last    uint32 // when something was refused last, in s
	told    uint32 // when the client was told last, in s
	refused int32  // how much since the last second without
}

// allowed reports whether what the client sent may be handled. It tells the
// client of what may not, once a second, and closes a socket that goes on.
func (r *reader) allowed() bool {
	g, p := r.s.g, &r.s.pace
	now := g.now()
	if !g.perSocket.limits() || g.perSocket.allow(&p.paid, now) {
		return true
	}
	second := uint32(now / 1000)
	if second-p.last > 1 {
		p.refused = 0
	}
	p.last = second
	p.refused++
	most := g.opts.MessageRate
	if int64(p.refused) > 2*int64(most) {
		r.s.deaf = true
		r.s.close(ws.ClosePolicy, "too many messages")
		return false
	}
	if p.refused == 1 || second != p.told {
		p.told = second
		r.s.reply(ws.Frame(ws.Text, rateLimited(most)))
	}
	return false
}

// rateLimited is the error frame for what was not looked at: it names no
// action and no ref.
func rateLimited(perSecond int) []byte {
	b, _ := json.Marshal(struct { // Strings always marshal.
		Type    string `json:"type"`
		Action  string `json:"action"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{"error", "", "rate_limited", fmt.Sprintf("too many messages; at most %d per second are handled", perSecond)})
	return b
}
