package pusher

import (
	"context"

	"github.com/sumu-live/sumu"
)

// row is one finding of a look-up.
type row struct {
	unit    unit
	conn    sumu.Connection
	src     *source
	cursor  string // where to go on behind it, where that is not the connection
	refused error  // it cannot be posted to
	err     error  // there is no finding
	end     bool   // the unit has no more
}

// lookup looks up units, one after another. Each row is good until the next
// one: to pass it on by value costs more than to find it in memory.
type lookup struct {
	p       *Pusher
	ctx     context.Context
	yield   func(*row) bool
	wanted  bool                              // the consumer wants more
	each    func(sumu.Connection, error) bool // found
	row     row
	without []string // channels whose members are left out
	after   string   // connections up to this one are passed over
}

func (p *Pusher) lookup(ctx context.Context, yield func(*row) bool) *lookup {
	l := &lookup{p: p, ctx: ctx, yield: yield, wanted: true}
	l.each = l.found
	return l
}

// look yields the connections of a unit, and at last its end. A connection that
// is named and has no row is yielded with ErrGone. It reports whether the
// consumer wants more.
func (l *lookup) look(u unit) bool {
	l.row = row{unit: u}
	if l.without = nil; !u.plan.topics {
		l.without = u.excludedChannels()
	}
	if err := l.find(u); err != nil && l.wanted { // The store has panicked.
		l.row = row{unit: u, err: err}
		l.give()
	}
	l.row = row{unit: u, end: true}
	return l.give()
}

func (l *lookup) give() bool {
	l.wanted = l.wanted && l.yield(&l.row)
	return l.wanted
}

func (l *lookup) find(u unit) (err error) {
	defer sumu.RecoverTo(&err)
	n, store := u.plan.n, l.p.store
	l.row.src = u.plan.own
	l.after = u.plan.early
	switch {
	case u.everyone():
		store.All(l.ctx, n.Segment)(l.each)
	case u.isEvent():
		l.subscribers(n.Event, n.After)
	case u.isChannel() && l.p.topics != nil:
		l.topic(n, u.channel())
	case u.isChannel():
		after := ""
		if u.index == 0 {
			after = n.After
		}
		l.members(n, u.channel(), after)
	case u.isUser():
		if len(n.Channels) == 0 && u.user() == n.Users[0] {
			l.after = max(l.after, n.After)
		}
		store.ByUser(l.ctx, u.user())(l.each)
	default:
		c, err := store.Get(l.ctx, u.ref())
		if err != nil {
			c = sumu.Connection{UserID: u.ref().UserID, ID: u.ref().ConnectionID}
		}
		l.found(c, err)
	}
	return nil
}

// found yields a connection, unless it is left out.
func (l *lookup) found(c sumu.Connection, err error) bool {
	if err == nil && l.after != "" && c.ID <= l.after {
		return l.wanted
	}
	if err == nil && len(l.without) > 0 {
		var member bool
		if member, err = l.p.inAny(l.ctx, c.Ref(), l.without); member {
			return l.wanted
		}
	}
	l.row.conn, l.row.err = c, err
	return l.give() && err == nil
}

// members yields those of a channel.
func (l *lookup) members(n *sumu.Notification, channel, after string) {
	// Made when it is its turn: a notification to many channels never holds
	// the frames of all.
	payload, err := sumu.NewPayload(l.p.channelFrame(n, channel))
	if err != nil {
		l.found(sumu.Connection{}, err)
		return
	}
	l.row.src = &source{payload: payload, attached: true, channel: channel}
	for m, err := range l.p.channels.Members(l.ctx, channel, after) {
		l.row.cursor = m.Cursor
		if !l.found(m.Connection, err) {
			return
		}
	}
}

// topic yields a channel of the sender's own, as if it were a connection: by its
// name, and without a user.
func (l *lookup) topic(n *sumu.Notification, channel string) {
	payload, err := sumu.NewPayload(l.p.channelFrame(n, channel))
	l.row.src = &source{payload: payload, attached: true, channel: channel, topic: true}
	l.found(sumu.Connection{ID: channel}, err)
}

// subscribers yields those of an event. What is sent is encoded once for each
// distinct set of desired fields, however many share it.
func (l *lookup) subscribers(e *sumu.Event, after string) {
	reader := sumu.NewEventReader(e)
	forms := forms{reader: reader}
	for s, err := range l.p.events.Subscribers(l.ctx, reader, after) {
		l.row.cursor = s.Cursor
		if err == nil {
			l.row.src, l.row.refused = forms.of(s.Subscription.Fields)
		}
		if !l.found(s.Connection, err) {
			return
		}
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
