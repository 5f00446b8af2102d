package pusher

import (
	"context"
	"iter"

	"github.com/sumu-live/sumu"
)

// lookup yields the connections of a unit. A connection that is named and has
// no row is yielded with ErrGone.
func (p *Pusher) lookup(ctx context.Context, u unit) iter.Seq2[finding, error] {
	rows := p.lookupAll(ctx, u)
	without := u.excludedChannels()
	if len(without) == 0 {
		return rows
	}
	return func(yield func(finding, error) bool) {
		for f, err := range rows {
			if err == nil {
				var member bool
				if member, err = p.inAny(ctx, f.conn.Ref(), without); member {
					continue
				}
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

func (p *Pusher) lookupAll(ctx context.Context, u unit) iter.Seq2[finding, error] {
	n, own := u.plan.n, u.plan.own
	switch {
	case u.everyone():
		return connections(p.store.All(ctx, n.Segment), own)
	case u.isEvent():
		return p.subscribers(ctx, n.Event, n.After)
	case u.isChannel():
		after := ""
		if u.index == 0 {
			after = n.After
		}
		return p.members(ctx, n, u.channel(), after)
	case u.isUser():
		rows := connections(p.store.ByUser(ctx, u.user()), own)
		if n.After == "" || len(n.Channels) > 0 || u.user() != n.Users[0] {
			return rows
		}
		return func(yield func(finding, error) bool) {
			for f, err := range rows {
				if err == nil && f.conn.ID <= n.After {
					continue
				}
				if !yield(f, err) {
					return
				}
			}
		}
	}
	return func(yield func(finding, error) bool) {
		c, err := p.store.Get(ctx, u.ref())
		if err != nil {
			c = sumu.Connection{UserID: u.ref().UserID, ID: u.ref().ConnectionID}
		}
		yield(finding{conn: c, src: own}, err)
	}
}

// excludedChannels are those whose members the unit leaves out: what the
// notification names, and the channel of which a part was reached before it.
func (u unit) excludedChannels() []string {
	n := u.plan.n
	if u.index == 0 || n.After == "" || len(n.Channels) == 0 {
		return u.plan.excludeChannels
	}
	return append(u.plan.excludeChannels[:len(u.plan.excludeChannels):len(u.plan.excludeChannels)], n.Channels[0])
}

func (p *Pusher) inAny(ctx context.Context, ref sumu.ConnectionRef, channels []string) (bool, error) {
	for _, c := range channels {
		if in, err := p.channels.IsMember(ctx, ref, c); in || err != nil {
			return in, err
		}
	}
	return false, nil
}
