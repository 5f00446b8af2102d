package sumutest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/sumu-live/sumu"
)

var (
	_ sumu.Sender             = (*Recorder)(nil)
	_ sumu.ReasonDisconnecter = (*Recorder)(nil)
)

// Recorder is a [sumu.Sender] and [sumu.Disconnecter] that records what it is
// asked for. The zero value accepts every post, but for connections that it was
// told to close: they are gone.
//
//	rec := new(sumutest.Recorder)
//	push, err := pusher.New(store, rec)
//	rec.FailNext(sumu.ErrThrottled) // whichever connection is posted to first
//	rec.On("c2").FailAll(sumu.ErrGone)
type Recorder struct {
	// Faults are those of posts, to any connection. One that On asked for
	// comes first, and leaves these to the posts after it.
	Faults

	// Sender, if set, gets every post that no fault prevents; and, where it is
	// a Disconnecter too, is told what to close.
	Sender sumu.Sender

	posts log[Post]

	mu     sync.Mutex
	on     map[string]*Faults
	closed []sumu.Connection
}

// Post is one try of a post.
type Post struct {
	Connection sumu.Connection
	Data       []byte
	Err        error // nil: the connection has taken it
}

// On returns the faults of one connection, by its id.
func (r *Recorder) On(connectionID string) *Faults {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on == nil {
		r.on = make(map[string]*Faults)
	}
	f := r.on[connectionID]
	if f == nil {
		f = new(Faults)
		r.on[connectionID] = f
	}
	return f
}

// Post implements [sumu.Sender].
func (r *Recorder) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	f, ok := r.On(c.ID).take()
	if !ok {
		f, _ = r.take()
	}
	err := f.do(ctx, "post "+c.ID, func() error { return r.post(ctx, c, p) })
	r.posts.add(Post{Connection: c, Data: bytes.Clone(p.Bytes()), Err: err})
	return err
}

func (r *Recorder) post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if r.Sender != nil {
		return r.Sender.Post(ctx, c, p)
	}
	if err := ctx.Err(); err != nil {
		return &sumu.Error{Op: "post " + c.ID, Kind: sumu.ErrUnavailable, Err: err}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open(c)
}

// open returns ErrGone for a connection that was closed here. mu is held.
func (r *Recorder) open(c sumu.Connection) error {
	if slices.ContainsFunc(r.closed, func(o sumu.Connection) bool { return o.ID == c.ID }) {
		return &sumu.Error{Op: "connection " + c.ID, Kind: sumu.ErrGone}
	}
	return nil
}

// Disconnect implements [sumu.Disconnecter]. ErrUnsupported is returned when
// there is a Sender that is none.
func (r *Recorder) Disconnect(ctx context.Context, c sumu.Connection) error {
	return r.disconnect(c, func(d sumu.Disconnecter) error { return d.Disconnect(ctx, c) })
}

// DisconnectFor implements [sumu.ReasonDisconnecter]: it is Disconnect when the
// Sender is none.
func (r *Recorder) DisconnectFor(ctx context.Context, c sumu.Connection, reason sumu.DisconnectReason) error {
	return r.disconnect(c, func(d sumu.Disconnecter) error {
		if with, ok := d.(sumu.ReasonDisconnecter); ok {
			return with.DisconnectFor(ctx, c, reason)
		}
		return d.Disconnect(ctx, c)
	})
}

func (r *Recorder) disconnect(c sumu.Connection, through func(sumu.Disconnecter) error) error {
	if r.Sender != nil {
		d, ok := r.Sender.(sumu.Disconnecter)
		if !ok {
			return &sumu.Error{Op: "disconnect " + c.ID, Kind: sumu.ErrUnsupported}
		}
		if err := through(d); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Sender == nil {
		if err := r.open(c); err != nil {
			return err
		}
	}
	r.closed = append(r.closed, c)
	return nil
}

// Posts returns every try of a post, in the order in which they ended.
func (r *Recorder) Posts() []Post { return r.posts.list() }

// Next returns the first try of a post that it has not returned yet. The test
// fails when none ends in 10 s.
func (r *Recorder) Next(tb testing.TB) Post {
	tb.Helper()
	return r.posts.next(tb, "post", wait)
}

// Taken returns what a connection has taken: the payloads of the posts to it
// that succeeded, in their order. A post whose answer was lost is not among
// them.
func (r *Recorder) Taken(connectionID string) []string {
	var taken []string
	for _, p := range r.posts.list() {
		if p.Connection.ID == connectionID && p.Err == nil {
			taken = append(taken, string(p.Data))
		}
	}
	return taken
}

// Disconnected returns the connections that were closed through the Recorder,
// in their order.
func (r *Recorder) Disconnected() []sumu.Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.closed)
}

// releaseAll ends all posts that hang or will.
func (r *Recorder) releaseAll() {
	r.release()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.on {
		f.release()
	}
}
