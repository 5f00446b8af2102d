package presence_test

import "github.com/sumu-live/sumu"

// published checks an event that a destination has accepted.
func (w *world) published(e sumu.PresenceEvent) {
	u := w.users[e.UserID[0]-'a']
	if w.broken == original {
		e.Version = int64(len(u.events) + 1) // It has none.
	}
	n := int64(len(u.events))
	w.tracef("PUBLISHED %s %s at %s", e.ID(), e.Status, e.At.Format("05.000"))
	if e.Version <= n && e.Version > 0 {
		w.stats.duplicates++
		if first := u.events[e.Version-1]; first.Status != e.Status || !first.At.Equal(e.At) {
			w.failf("duplicate: %s was %s at %v, now %s at %v", e.ID(), first.Status, first.At, e.Status, e.At)
		}
		return
	}
	w.stats.events++
	if e.Version != n+1 {
		w.failf("gap: %s follows version %d", e.ID(), n)
	}
	last := sumu.PresenceEvent{Status: sumu.Offline}
	if n > 0 {
		last = u.events[n-1]
	}
	if e.Status == last.Status {
		w.failf("alternation: %s is %s, as the one before", e.ID(), e.Status)
	}
	if !e.At.After(last.At) && w.broken != original {
		w.failf("time: %s is of %v, the one before of %v", e.ID(), e.At, last.At)
	}
	u.events = append(u.events, e)
}

// settled checks what must be so once everything is quiet.
func (w *world) settled() {
	for _, u := range w.users {
		status := sumu.Offline
		if n := len(u.events); n > 0 {
			status = u.events[n-1].Status
		}
		if u.live != (status == sumu.Online) {
			w.failf("last event: %s is %s, but connected is %v", u.id, status, u.live)
		}
		if w.broken == original {
			continue
		}
		row, err := w.store.Presence(bg, w.rowOf(u.id))
		w.must(err)
		if row.Announced != row.Version || row.Version != int64(len(u.events)) {
			w.failf("at rest: %s has version %d, announced %d, %d events", u.id, row.Version, row.Announced, len(u.events))
		}
	}
}
