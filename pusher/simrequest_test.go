package pusher_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

// request sends a notification, as a backend does.
func (w *world) request() {
	n := sumu.Notification{Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, len(w.reqs)))}
	if w.rng.IntN(4) > 0 || w.plan.kind != standard {
		n.ID = fmt.Sprintf("n%d", len(w.reqs))
	}
	some := func() *simConn { return w.conns[w.rng.IntN(len(w.conns))] }
	switch p := w.rng.IntN(10); {
	case p < 5:
		n.Everyone = true
	case p < 8:
		for range 1 + w.rng.IntN(3) {
			n.Users = append(n.Users, some().ref.UserID)
		}
		if p == 7 {
			n.Connections = []sumu.ConnectionRef{some().ref}
		}
	default:
		for range 1 + w.rng.IntN(3) {
			n.Connections = append(n.Connections, some().ref)
		}
	}
	if w.chance(30) {
		n.ExcludeUsers = []string{some().ref.UserID}
	}
	if w.chance(30) {
		n.ExcludeConnections = []string{some().ref.ConnectionID}
	}
	if w.chance(20) {
		n.Deadline = time.Now().Add(time.Duration(5+w.rng.IntN(60)) * time.Second).Truncate(time.Millisecond)
	}
	r := &request{n: n, step: w.step, got: map[*simConn]int{}, allow: map[*simConn]int{}}
	if w.plan.kind == fifoOrder {
		r.group = string(rune('g' + w.rng.IntN(2)))
	}
	w.reqs = append(w.reqs, r)
	w.enqueue(len(w.reqs)-1, n, 0)
	if w.chance(5) {
		w.sent++
		w.queue = append(w.queue, &queued{
			id: fmt.Sprintf("m%d", w.sent), req: -1, poison: true, visibleAt: time.Now(),
			body: []byte([]string{``, `{"users":`, `{"users":["a"]}`, `{"connections":[],"data":1}`, `[]`}[w.rng.IntN(5)]),
		})
	}
	w.tracef("request %d: %+v", len(w.reqs)-1, n)
}

// enqueue is what the queue does with a message that is sent to it.
func (w *world) enqueue(req int, n sumu.Notification, delay time.Duration) {
	body, err := n.MarshalJSON()
	w.must(err)
	if w.broken == emptyConnections && n.Part != "" && len(n.Connections) > 0 && len(n.Users) == 0 {
		var members map[string]json.RawMessage
		w.must(json.Unmarshal(body, &members))
		delete(members, "connections")
		body, err = json.Marshal(members)
		w.must(err)
	}
	if w.plan.kind != standard {
		key := n.Key()
		if w.broken == dedupByID {
			key = n.ID
		}
		if w.dedup[key] {
			return
		}
		w.dedup[key] = true
		delay = 0
	}
	w.sent++
	m := &queued{
		id: fmt.Sprintf("m%d", w.sent), key: n.Key(), req: req, body: body,
		visibleAt: time.Now().Add(delay), group: w.reqs[req].group,
	}
	if n.ID == "" {
		m.key = m.id + "/" + n.Part
	}
	w.keyed[m.key] = n
	w.queue = append(w.queue, m)
}

// wants reports whether a request is for a connection.
func (r *request) wants(c *simConn) bool {
	return covers(&r.n, c.ref)
}

func covers(n *sumu.Notification, ref sumu.ConnectionRef) bool {
	for _, u := range n.ExcludeUsers {
		if u == ref.UserID {
			return false
		}
	}
	for _, id := range n.ExcludeConnections {
		if id == ref.ConnectionID {
			return false
		}
	}
	if n.Everyone {
		s := n.Segment
		return s.Count <= 1 || segmentOf(ref, s.Count) == s.Index
	}
	for _, u := range n.Users {
		if u == ref.UserID {
			return true
		}
	}
	for _, r := range n.Connections {
		if r == ref {
			return true
		}
	}
	return false
}

func segmentOf(ref sumu.ConnectionRef, count int) int {
	return int(hash(ref.UserID+"/"+ref.ConnectionID) % uint64(count))
}
