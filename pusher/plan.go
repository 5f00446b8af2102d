package pusher

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sumu-live/sumu"
)

// plan is one notification of a batch: what it posts, to whom, and what became
// of it. All but its preparation happens under the run's lock.
type plan struct {
	n      *sumu.Notification
	own    *source // what users, named connections and everyone are sent
	result sumu.Result

	// The targets, without duplicates and excluded ones. They are looked up in
	// this order: who is passed in a channel can be named in a remainder by the
	// channel, which later look-ups leave out.
	channels []string
	users    []string
	refs     []sumu.ConnectionRef // none of a user in users

	excludeUsers    map[string]struct{}
	excludeConns    map[string]struct{}
	excludeChannels []string
	seen            map[sumu.ConnectionRef]struct{} // who must not be found twice; nil: nobody can be

	// Where the search for targets has come to, for the remainder.
	reached unit
	last    place  // the last connection found in that unit
	early   string // the last connection of a user that was found before the stream began
	found   bool   // the search has ended
	cut     error  // or cannot go on for now, because of this
	fault   error  // of the first target that failed by one, for the log

	again       []target     // that were tried and may yet succeed
	down        []target     // that were tried, and failed by a fault of the sender
	left        []target     // that were found and not tried
	failedUnits []failedUnit // units that the store failed to look up
	downUnits   []failedUnit // those that failed by a fault of it
	lostUnits   []failedUnit // and those that it will never find
	topics      bool         // channels are the sender's own: nobody knows who is in them
	outlasted   bool         // by faults before this push: one more is the last
}

// unit is one look-up in the store: all connections, the subscribers of an
// event, the members of a channel, the connections of a user, or one.
type unit struct {
	plan  *plan
	index int // in plan.channels, then in plan.users, then in plan.refs
}

// place is behind which connection of a unit to go on: zero, at the beginning.
type place struct {
	ref    sumu.ConnectionRef
	cursor string // instead, of members and subscribers
}

type target struct {
	ref sumu.ConnectionRef
	src *source
}

type failedUnit struct {
	index int
	last  sumu.ConnectionRef
}

func (u unit) everyone() bool { return u.plan.n.Everyone }

func (u unit) isEvent() bool { return u.plan.n.Event != nil }

func (u unit) isChannel() bool { return u.index < len(u.plan.channels) }

func (u unit) isUser() bool {
	return !u.isChannel() && u.index < len(u.plan.channels)+len(u.plan.users)
}

// named reports whether the unit is one connection.
func (u unit) named() bool {
	return !u.everyone() && !u.isEvent() && !u.isChannel() && !u.isUser()
}

// resumes reports whether a failed unit is gone on with as it is, rather than
// left to a child of its own: it cannot be told apart from what is behind it.
func (u unit) resumes() bool { return u.isChannel() || u.isEvent() }

func (u unit) channel() string { return u.plan.channels[u.index] }

func (u unit) user() string { return u.plan.users[u.index-len(u.plan.channels)] }

func (u unit) ref() sumu.ConnectionRef {
	return u.plan.refs[u.index-len(u.plan.channels)-len(u.plan.users)]
}

// newPlan prepares a notification. One that is refused has an Err and no units.
func (p *Pusher) newPlan(n *sumu.Notification) *plan {
	pl := &plan{n: n, result: sumu.Result{ID: n.ID, Part: n.Part}}
	pl.reached.plan = pl
	pl.topics, pl.outlasted = p.topics != nil, p.outlasted(n)
	if err := p.prepare(pl); err != nil {
		pl.result.Err = err
		pl.found = true
		return pl
	}
	pl.excludeUsers = set(n.ExcludeUsers)
	pl.excludeConns = set(n.ExcludeConnections)
	pl.excludeChannels = n.ExcludeChannels
	pl.channels = distinct(n.Channels, nil)
	pl.users = distinct(n.Users, pl.excludeUsers)
	if len(n.Connections) > 0 {
		users := set(n.Users)
		refs := make(map[sumu.ConnectionRef]struct{}, len(n.Connections))
		for _, r := range n.Connections {
			if _, twice := refs[r]; !twice && !has(users, r.UserID) && !pl.excluded(r) {
				pl.refs = append(pl.refs, r)
			}
			refs[r] = struct{}{}
		}
	}
	if len(pl.channels) > 0 && pl.size() > 1 {
		pl.seen = make(map[sumu.ConnectionRef]struct{})
	}
	pl.found = pl.size() == 0
	return pl
}

// distinct returns the items that are not excluded, each once.
func distinct(items []string, excluded map[string]struct{}) []string {
	if len(items) == 1 && !has(excluded, items[0]) {
		return items
	}
	out := make([]string, 0, len(items))
	known := make(map[string]struct{}, len(items))
	for _, s := range items {
		if !has(known, s) && !has(excluded, s) {
			out = append(out, s)
		}
		known[s] = struct{}{}
	}
	return out
}

func (p *Pusher) prepare(pl *plan) error {
	n := pl.n
	if err := n.Validate(); err != nil {
		return err
	}
	if p.opts.RequireEveryone {
		if err := n.CheckExplicit(); err != nil {
			return err
		}
	}
	switch {
	case n.Event != nil && p.topics != nil:
		return unsupported("this pusher's sender reaches no subscribers of events")
	case n.Event != nil && p.events == nil:
		return unsupported("this pusher's store keeps no subscriptions to events")
	case len(n.Channels) > 0 && p.topics != nil && len(n.ExcludeUsers)+len(n.ExcludeConnections) > 0:
		return unsupported("this pusher's sender posts to a channel as a whole, and can leave nobody out")
	case len(n.ExcludeChannels) > 0 && p.topics != nil:
		return unsupported("this pusher's sender does not tell who is in a channel, and can leave none out")
	case len(n.Channels)+len(n.ExcludeChannels) > 0 && p.topics == nil && p.channels == nil:
		return unsupported("this pusher's store keeps no channels")
	case pl.expired(p):
		return errExpired
	case n.Event != nil:
		return nil
	}
	for _, c := range n.Channels {
		if size := len(p.channelFrame(&sumu.Notification{ID: n.ID, From: n.From, Framed: n.Framed}, c)) + len(n.Data); size > sumu.MaxPayload {
			op := fmt.Sprintf("channel %s: the message would have %d bytes; at most %d are allowed", c, size, sumu.MaxPayload)
			return &sumu.Error{Op: op, Kind: sumu.ErrTooLarge}
		}
	}
	data := []byte(n.Data)
	if p.opts.Envelope && !n.Framed {
		data = envelope(n)
	}
	payload, err := sumu.NewPayload(data)
	pl.own = &source{payload: payload}
	return err
}

func unsupported(reason string) error { return &sumu.Error{Op: reason, Kind: sumu.ErrUnsupported} }

func (pl *plan) expired(p *Pusher) bool {
	return !pl.n.Deadline.IsZero() && p.opts.Now().After(pl.n.Deadline)
}

func (pl *plan) excluded(r sumu.ConnectionRef) bool {
	return has(pl.excludeUsers, r.UserID) || has(pl.excludeConns, r.ConnectionID)
}

// size is the number of units.
func (pl *plan) size() int {
	if pl.n.Everyone || pl.n.Event != nil {
		return 1
	}
	return len(pl.channels) + len(pl.users) + len(pl.refs)
}

// shareTargets makes plans of one ID know each other's targets, and takes out
// those that repeat a key: they are the same message, received twice.
func shareTargets(plans []*plan) {
	if len(plans) == 1 {
		return
	}
	keys := make(map[string]*plan, len(plans))
	first := make(map[string]*plan, len(plans))
	for _, pl := range plans {
		if pl.n.ID == "" || pl.found {
			continue
		}
		if same := keys[pl.n.Key()]; same != nil && sameTargets(same.n, pl.n) {
			pl.found = true
			continue
		}
		keys[pl.n.Key()] = pl
		if pl.n.Event != nil {
			continue // A connection gets it for each of its subscriptions.
		}
		if f := first[pl.n.ID]; f == nil {
			first[pl.n.ID] = pl
		} else {
			if f.seen == nil {
				f.seen = make(map[sumu.ConnectionRef]struct{})
			}
			pl.seen = f.seen
		}
	}
}

// sameTargets keeps a key that was used twice from losing anything.
func sameTargets(a, b *sumu.Notification) bool {
	return a.Everyone == b.Everyone && a.Segment == b.Segment && a.After == b.After &&
		slices.Equal(a.Users, b.Users) && slices.Equal(a.Connections, b.Connections) &&
		slices.Equal(a.Channels, b.Channels) && sameEvent(a.Event, b.Event) &&
		slices.Equal(a.ExcludeUsers, b.ExcludeUsers) && slices.Equal(a.ExcludeConnections, b.ExcludeConnections) &&
		slices.Equal(a.ExcludeChannels, b.ExcludeChannels)
}

func sameEvent(a, b *sumu.Event) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Type == b.Type && bytes.Equal(a.Payload, b.Payload)
}

func set(items []string) map[string]struct{} {
	if len(items) == 0 {
		return nil
	}
	m := make(map[string]struct{}, len(items))
	for _, s := range items {
		m[s] = struct{}{}
	}
	return m
}

func has[K comparable](m map[K]struct{}, k K) bool {
	_, ok := m[k]
	return ok
}
