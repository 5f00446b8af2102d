package pusher

import (
	"context"

	"github.com/sumu-live/sumu"
)

// contain ends a panic of an observer, which is no reason to lose a push: defer it.
func contain() { _ = recover() }

func safely(f func() error) (err error) {
	defer sumu.RecoverTo(&err)
	return f()
}

func (p *Pusher) observePosted(ctx context.Context, j *job) {
	if f := p.opts.Observer.Posted; f != nil {
		defer contain()
		f(ctx, j.conn.Ref(), j.plan.n.ID, j.err)
	}
}

func (p *Pusher) observePruned(ctx context.Context, ref sumu.ConnectionRef, err error) {
	if f := p.opts.Observer.Pruned; f != nil {
		defer contain()
		f(ctx, ref, err)
	}
}

func (p *Pusher) observePushed(ctx context.Context, r sumu.Result) {
	if f := p.opts.Observer.Pushed; f != nil {
		defer contain()
		f(ctx, r)
	}
}

func (p *Pusher) observeDeadLetter(ctx context.Context, n sumu.Notification, err error) {
	p.logDeadLetter(ctx, n, err)
	if f := p.opts.Observer.DeadLetter; f != nil {
		defer contain()
		f(ctx, n, err)
	}
}
