package presence_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

func (w *world) changed(u *user, insert bool) {
	if w.plan.lossy && w.chance(70) {
		w.tracef("the record is lost")
		return
	}
	w.bag = append(w.bag, record{user: u, insert: insert})
}

func (w *world) connect() {
	u := w.users[w.rng.IntN(len(w.users))]
	c := &conn{
		ref:      sumu.ConnectionRef{UserID: u.id, ConnectionID: fmt.Sprintf("%02d", len(w.conns))},
		deleteAt: w.now.Add(time.Duration(1+w.rng.IntN(20)) * time.Second),
		present:  true,
	}
	if w.chance(30) {
		c.deleteAt = w.now.Add(time.Hour)
	}
	c.deleteAt = w.kept(c.deleteAt)
	w.conns = append(w.conns, c)
	w.tracef("connect %v until +%v", c.ref, c.deleteAt.Sub(w.now))
	w.must(w.store.Put(bg, sumu.Connection{
		UserID: u.id, ID: c.ref.ConnectionID, ConnectedAt: w.now, DeleteAt: c.deleteAt,
	}))
	w.changed(u, true)
}

// kept is an expiry as the store keeps it.
func (w *world) kept(deleteAt time.Time) time.Time {
	if w.whole {
		return deleteAt.Truncate(time.Second)
	}
	return deleteAt
}

func (w *world) userOf(c *conn) *user { return w.users[c.ref.UserID[0]-'a'] }

// anyConn returns one whose row is there, nil when there is none.
func (w *world) anyConn() *conn {
	var present []*conn
	for _, c := range w.conns {
		if c.present {
			present = append(present, c)
		}
	}
	if len(present) == 0 {
		return nil
	}
	return present[w.rng.IntN(len(present))]
}

func (w *world) disconnect() {
	c := w.anyConn()
	if c == nil {
		return
	}
	w.tracef("disconnect %v", c.ref)
	w.must(w.store.Delete(bg, c.ref))
	c.present = false
	w.changed(w.userOf(c), false)
}

// renew is no change: streams are filtered to rows written and removed.
func (w *world) renew() {
	c := w.anyConn()
	if c == nil {
		return
	}
	deleteAt := w.kept(w.now.Add(time.Duration(5+w.rng.IntN(20)) * time.Second))
	wasLive := c.live(w.now)
	err := w.store.Touch(bg, c.ref, deleteAt)
	if wasLive != (err == nil) {
		w.failf("the store's Touch of a row that is live=%v: %v", wasLive, err)
	}
	if !wasLive && w.broken == renewalRevives {
		w.must(w.store.Put(bg, sumu.Connection{UserID: c.ref.UserID, ID: c.ref.ConnectionID, DeleteAt: deleteAt}))
		err = nil
	}
	w.tracef("renew %v: %v", c.ref, err)
	if err == nil {
		c.deleteAt = deleteAt
	}
}

func (w *world) expired() (rows []*conn) {
	for _, c := range w.conns {
		if c.present && !c.live(w.now) {
			rows = append(rows, c)
		}
	}
	return rows
}

func (w *world) sweep() {
	if w.broken == noSweeper {
		return
	}
	rows := w.expired()
	n, err := w.store.SweepExpired(bg, 0)
	w.must(err)
	if w.missed != nil {
		rows = slices.DeleteFunc(rows, w.missed)
	}
	if n != len(rows) {
		w.failf("the store swept %d rows; %d were expired", n, len(rows))
	}
	w.stats.swept += n
	w.tracef("sweep %d", n)
	for _, c := range rows {
		c.present = false
		w.changed(w.userOf(c), false)
	}
}

func (w *world) advance(d time.Duration) {
	w.now = w.now.Add(d)
	w.tracef("the clock moves %v", d)
}

func (w *world) must(err error) {
	if err != nil {
		w.failf("the store failed by itself: %v", err)
	}
}
