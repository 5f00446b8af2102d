package pusher

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

// patienceTicks is into how many ticks a post's time is divided: it gets all of
// its time, and at most one tick more.
const patienceTicks = 16

// patience bounds each post of a worker by a timeout. A timer set for each post
// would cost more than a post to a socket of this process: one ticks instead
// while there are posts, and looks whether it still sees the same one.
type patience struct {
	parent  context.Context
	timeout time.Duration
	ctx     context.Context
	cancel  context.CancelCauseFunc
	posts   uint64 // begun

	current atomic.Uint64 // the post under way; 0: none
	ticking atomic.Bool   // changed under mu

	mu    sync.Mutex // never held while a post is made
	timer *time.Timer
	ended bool
	seen  uint64 // the post that the last tick saw
	ticks int    // that have seen it since
}

var errPostTimeout = errors.New("post timed out")

func newPatience(parent context.Context, timeout time.Duration) *patience {
	return &patience{parent: parent, timeout: timeout}
}

func (t *patience) post(s sumu.Sender, j *job) error {
	err := post(t.begin(), s, j)
	if t.done() && err != nil {
		return t.timedOut(err)
	}
	return err
}

// begin returns the context of the next post; done must follow.
func (t *patience) begin() context.Context {
	if t.ctx == nil {
		t.ctx, t.cancel = context.WithCancelCause(t.parent)
	}
	t.posts++
	t.current.Store(t.posts)
	if !t.ticking.Load() {
		t.start()
	}
	return t.ctx
}

// done reports whether the post has had all of its time.
func (t *patience) done() (late bool) {
	if t.current.CompareAndSwap(t.posts, 0) {
		return false
	}
	// This context is spent, or will be at once: the tick has mu until then.
	t.mu.Lock()
	defer t.mu.Unlock()
	late = context.Cause(t.ctx) == errPostTimeout // Ours, never wrapped.
	t.ctx = nil
	return late
}

// start lets the timer tick.
func (t *patience) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ticking.Load() {
		return // A tick has seen the post.
	}
	t.ticking.Store(true)
	t.seen, t.ticks = t.posts, 0
	if t.timer == nil {
		t.timer = time.AfterFunc(t.tick(), t.look)
	} else {
		t.timer.Reset(t.tick())
	}
}

func (t *patience) tick() time.Duration { return (t.timeout + patienceTicks - 1) / patienceTicks }

// look is a tick.
func (t *patience) look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	post := t.current.Load()
	if post == 0 {
		t.ticking.Store(false)
		// A post that has just begun counts on the ticks.
		if post = t.current.Load(); post == 0 {
			return
		}
		t.ticking.Store(true)
	}
	if post != t.seen {
		t.seen, t.ticks = post, 0
	} else if t.ticks++; t.ticks == patienceTicks && t.current.CompareAndSwap(post, 0) {
		t.cancel(errPostTimeout)
		t.ticking.Store(false)
		return
	}
	t.timer.Reset(t.tick())
}

func (t *patience) timedOut(err error) error {
	return &sumu.Error{Op: "no answer in " + t.timeout.String(), Kind: sumu.ErrUnavailable, Err: err}
}

func post(ctx context.Context, s sumu.Sender, j *job) (err error) {
	defer sumu.RecoverTo(&err)
	if j.src.topic {
		return s.(sumu.ChannelSender).PostChannel(ctx, j.src.channel, j.src.payload)
	}
	return s.Post(ctx, j.conn, j.src.payload)
}

func (t *patience) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.ctx != nil {
		t.cancel(nil)
	}
}
