package sumutest

import (
	"context"
	"sync"

	"github.com/sumu-live/sumu"
)

// dialHeader carries a number of ours through the upgrade, so that a client
// learns the id of its connection without a message that handlers would see.
const dialHeader = "Sumutest-Dial"

// tracker knows which dial became which connection, and which have ended.
type tracker struct {
	mu    sync.Mutex
	refs  map[string]sumu.ConnectionRef // by the value of dialHeader
	ended map[string]chan struct{}      // by connection id; closed when its row is gone
}

func newTracker() *tracker {
	return &tracker{refs: make(map[string]sumu.ConnectionRef), ended: make(map[string]chan struct{})}
}

// authorizer returns auth, listened to. It is a TokenVerifier if auth is one.
func (t *tracker) authorizer(auth sumu.Authorizer) sumu.Authorizer {
	listening := sumu.AuthorizerFunc(func(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		id, err := auth.Authorize(ctx, r)
		if dial := r.HeaderValues(dialHeader); err == nil && len(dial) == 1 {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.refs[dial[0]] = sumu.ConnectionRef{UserID: id.UserID, ConnectionID: r.ConnectionID}
		}
		return id, err
	})
	if v, ok := auth.(sumu.TokenVerifier); ok {
		return struct {
			sumu.Authorizer
			sumu.TokenVerifier
		}{listening, v}
	}
	return listening
}

// observe adds itself to an observer.
func (t *tracker) observe(o *sumu.Observer) {
	theirs := o.Disconnected
	o.Disconnected = func(ctx context.Context, c sumu.Connection, reason sumu.DisconnectReason, err error) {
		if theirs != nil {
			theirs(ctx, c, reason, err)
		}
		if err != nil {
			return // It comes again.
		}
		ended := t.end(c.ID)
		t.mu.Lock()
		defer t.mu.Unlock()
		select {
		case <-ended:
		default:
			close(ended)
		}
	}
}

// take returns the connection that a dial became.
func (t *tracker) take(dial string) (ref sumu.ConnectionRef, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ref, ok = t.refs[dial]
	delete(t.refs, dial)
	return ref, ok
}

// end is closed when the row of a connection was removed at its end.
func (t *tracker) end(connectionID string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ch := t.ended[connectionID]
	if ch == nil {
		ch = make(chan struct{})
		t.ended[connectionID] = ch
	}
	return ch
}
