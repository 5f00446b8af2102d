package pusher

import (
	"context"
	"encoding/json"
	"iter"
	"slices"

	"github.com/sumu-live/sumu"
)

// plan is one notification of a batch: what it posts, to whom, and what became
// of it. All but its preparation happens under the run's lock.
type plan struct {
	n       *sumu.Notification
	payload *sumu.Payload
	result  sumu.Result

	users        []string             // without duplicates and excluded ones
	refs         []sumu.ConnectionRef // the same, and none of a user in users
	excludeUsers map[string]struct{}
	excludeConns map[string]struct{}
	seen         map[sumu.ConnectionRef]struct{} // shared by plans of one ID; nil: nobody shares it

	// Where the search for targets has come to, for the remainder.
	reached unit
	last    sumu.ConnectionRef // the last connection found in that unit
	found   bool               // the search has ended

	again       []sumu.ConnectionRef // targets that were tried and may yet succeed
	left        []sumu.ConnectionRef // targets that were found and not tried
	failedUnits []failedUnit         // units that the store failed to look up
	lostUnits   []failedUnit         // and those that it will never find
}

// unit is one look-up in the store: all connections, those of a user, or one.
type unit struct {
	plan  *plan
	index int // in plan.users, and then in plan.refs
}

type failedUnit struct {
	index int
	last  sumu.ConnectionRef
}

func (u unit) everyone() bool { return u.plan.n.Everyone }

func (u unit) isUser() bool { return u.index < len(u.plan.users) }

// named reports whether the unit is one connection.
func (u unit) named() bool { return !u.everyone() && !u.isUser() }

func (u unit) user() string { return u.plan.users[u.index] }

func (u unit) ref() sumu.ConnectionRef { return u.plan.refs[u.index-len(u.plan.users)] }

// newPlan prepares a notification. One that is refused has an Err and no units.
func (p *Pusher) newPlan(n *sumu.Notification) *plan {
	pl := &plan{n: n, result: sumu.Result{ID: n.ID, Part: n.Part}}
	pl.reached.plan = pl
	if err := p.prepare(pl); err != nil {
		pl.result.Err = err
		pl.found = true
		return pl
	}
	pl.excludeUsers = set(n.ExcludeUsers)
	pl.excludeConns = set(n.ExcludeConnections)
	users := make(map[string]struct{}, len(n.Users))
	for _, u := range n.Users {
		if _, twice := users[u]; !twice && !has(pl.excludeUsers, u) {
			pl.users = append(pl.users, u)
		}
		users[u] = struct{}{}
	}
	refs := make(map[sumu.ConnectionRef]struct{}, len(n.Connections))
	for _, r := range n.Connections {
		if _, twice := refs[r]; !twice && !has(users, r.UserID) && !pl.excluded(r) {
			pl.refs = append(pl.refs, r)
		}
		refs[r] = struct{}{}
	}
	pl.found = pl.size() == 0
	return pl
}

func (p *Pusher) prepare(pl *plan) error {
	n := pl.n
	if err := n.Validate(); err != nil {
		return err
	}
	switch {
	case n.Event != nil:
		return &sumu.Error{Op: "this pusher has no subscriptions to events", Kind: sumu.ErrUnsupported}
	case len(n.Channels) > 0:
		return &sumu.Error{Op: "this pusher has no channels", Kind: sumu.ErrUnsupported}
	case p.opts.RefuseEmptyUsers && n.EmptyUsers():
		return invalid("users is empty; name at least one, or leave it out to reach everyone")
	case pl.expired(p):
		return errExpired
	}
	data := []byte(n.Data)
	if p.opts.Envelope {
		data = envelope(n)
	}
	var err error
	pl.payload, err = sumu.NewPayload(data)
	return err
}

// envelope is built by hand, because encoding/json would rewrite the data.
func envelope(n *sumu.Notification) []byte {
	id, _ := json.Marshal(n.ID) // A string always marshals.
	b := make([]byte, 0, len(n.Data)+len(id)+40)
	b = append(b, `{"type":"notification","id":`...)
	b = append(b, id...)
	b = append(b, `,"data":`...)
	b = append(b, n.Data...)
	return append(b, '}')
}

func (pl *plan) expired(p *Pusher) bool {
	return !pl.n.Deadline.IsZero() && p.opts.Now().After(pl.n.Deadline)
}

func (pl *plan) excluded(r sumu.ConnectionRef) bool {
	return has(pl.excludeUsers, r.UserID) || has(pl.excludeConns, r.ConnectionID)
}

// size is the number of units.
func (pl *plan) size() int {
	if pl.n.Everyone {
		return 1
	}
	return len(pl.users) + len(pl.refs)
}

// units are the look-ups of a plan, in the order of its targets.
func (pl *plan) units() iter.Seq[unit] {
	return func(yield func(unit) bool) {
		if pl.found {
			return
		}
		for i := range pl.size() {
			if !yield(unit{pl, i}) {
				return
			}
		}
	}
}

// lookup yields the connections of a unit. A connection that is named and has
// no row is yielded with ErrGone.
func (p *Pusher) lookup(ctx context.Context, u unit) iter.Seq2[sumu.Connection, error] {
	n := u.plan.n
	switch {
	case u.everyone():
		return p.store.All(ctx, n.Segment)
	case u.isUser():
		rows := p.store.ByUser(ctx, u.user())
		if n.After == "" || u.user() != n.Users[0] {
			return rows
		}
		return func(yield func(sumu.Connection, error) bool) {
			for c, err := range rows {
				if err == nil && c.ID <= n.After {
					continue
				}
				if !yield(c, err) {
					return
				}
			}
		}
	}
	return func(yield func(sumu.Connection, error) bool) {
		c, err := p.store.Get(ctx, u.ref())
		if err != nil {
			c = sumu.Connection{UserID: u.ref().UserID, ID: u.ref().ConnectionID}
		}
		yield(c, err)
	}
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
		slices.Equal(a.Users, b.Users) && slices.Equal(a.Connections, b.Connections)
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
