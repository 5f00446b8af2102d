package sumu

import (
	"context"
	"unicode/utf8"

	"github.com/sumu-live/sumu/internal/strictjson"
)

const (
	// maxRef is how long a client's ref may be, in characters.
	maxRef = 64
	// maxAction is how long an action may be, in bytes. An error frame repeats
	// it, and must not outgrow MaxPayload.
	maxAction = 128
)

// Message routes a frame of a client to the handler of its action and returns
// the frame to answer with; nil: none. m.Action and m.Ref are read from
// m.Body. Errors become error frames:
//
//	{"type":"error","action":"publish","ref":"7","code":"bad_request","message":"…"}
//
// with the codes bad_request, forbidden, too_large, rate_limited,
// limit_exceeded and unavailable. A frame that is not JSON, or whose action is
// missing, not a string, over 128 bytes or unknown, goes to
// [AppOptions.Default]; without one it is answered as API Gateway does, with the
// action and the ref that it had:
//
//	{"message":"Forbidden","connectionId":"…","requestId":"…","action":"dance","ref":"7"}
//
// A handler that panics answers "unavailable".
func (a *App) Message(ctx context.Context, m Message) []byte {
	start := a.opts.Now()
	if m.ReceivedAt.IsZero() {
		m.ReceivedAt = start
	}
	if m.RequestID == "" {
		m.RequestID = NewID()
	}
	var reply []byte
	err := m.readEnvelope()
	route, handle := a.route(m.Action)
	if err == nil {
		reply, err = a.call(ctx, handle, m)
	}
	if f := a.opts.Observer.Message; f != nil {
		f(ctx, m.Connection, route, a.opts.Now().Sub(start), err)
	}
	if err != nil {
		a.logFailure(ctx, &m, route, err)
		return m.errorFrame(err)
	}
	return reply
}

// readEnvelope takes action and ref from the frame. A frame that has no action
// is not an error here: it is the default handler's.
func (m *Message) readEnvelope() error {
	m.Action, m.Ref = "", ""
	members, err := object(m.Body)
	if err != nil {
		return nil // Not JSON: routed as a frame without action.
	}
	if action, ok := strictjson.String(members.Get("action")); ok && len(action) <= maxAction {
		m.Action = action
	}
	raw := members.Get("ref")
	if raw == nil {
		return nil
	}
	ref, ok := strictjson.String(raw)
	if !ok || utf8.RuneCountInString(ref) > maxRef {
		return invalid("ref is not a string of at most %d characters", maxRef)
	}
	m.Ref = ref
	return nil
}

// route returns the handler of an action, and the name of its route: unlike
// the action, which clients make up, it is one of a few.
func (a *App) route(action string) (name string, h Handler) {
	a.mu.RLock()
	h = a.routes[action]
	a.mu.RUnlock()
	if h == nil {
		h = a.builtin[action]
	}
	if h == nil {
		return "$default", a.fallback
	}
	return action, h
}

// pong answers as the original's route does, with the ref if there is one.
func pong(_ context.Context, m Message) ([]byte, error) {
	return mustJSON(struct {
		Type         string `json:"type"`
		StatusCode   int    `json:"statusCode"`
		ConnectionID string `json:"connectionId"`
		Ref          string `json:"ref,omitempty"`
	}{"pong", 200, m.Connection.ID, m.Ref}), nil
}

// keepalive answers nothing: a reply would double the price of being idle.
func keepalive(context.Context, Message) ([]byte, error) { return nil, nil }

// forbidden answers as API Gateway does for a route that does not exist, and
// says what it answers, so that a client need not wait for anything else.
func forbidden(_ context.Context, m Message) ([]byte, error) {
	if m.LikeAPIGateway {
		m.Action, m.Ref = "", ""
	}
	return mustJSON(struct {
		Message      string `json:"message"`
		ConnectionID string `json:"connectionId"`
		RequestID    string `json:"requestId"`
		Action       string `json:"action,omitempty"`
		Ref          string `json:"ref,omitempty"`
	}{"Forbidden", m.Connection.ID, m.RequestID, m.Action, m.Ref}), nil
}

// call contains a panic of a user's handler.
func (a *App) call(ctx context.Context, h Handler, m Message) (reply []byte, err error) {
	defer RecoverTo(&err)
	return h(ctx, m)
}

func (m *Message) errorFrame(err error) []byte {
	code, text := wireError(err)
	return mustJSON(struct {
		Type    string `json:"type"`
		Action  string `json:"action"`
		Ref     string `json:"ref,omitempty"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{"error", m.Action, m.Ref, code, text})
}
