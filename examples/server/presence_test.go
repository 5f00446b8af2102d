package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// seen is what a client has received: the presence events by id, so that those
// which come twice count once, and everything else.
type seen struct {
	mu     sync.Mutex
	events map[string]sumu.PresenceEvent
	other  []string
}

// listen reads a connection until it ends.
func listen(conn *wstest.Conn) *seen {
	s := &seen{events: make(map[string]sumu.PresenceEvent)}
	go func() {
		for {
			frame, err := conn.Next()
			if err != nil {
				return
			}
			if frame.Opcode == ws.Text {
				s.add(string(frame.Payload))
			}
		}
	}()
	return s
}

func (s *seen) add(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e sumu.PresenceEvent
	if json.Unmarshal([]byte(text), &e) == nil {
		s.events[e.ID()] = e
		return
	}
	s.other = append(s.other, text)
}

// got reports whether something that is no event holds all of parts.
func (s *seen) got(parts ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range s.other {
		holds := true
		for _, p := range parts {
			holds = holds && strings.Contains(text, p)
		}
		if holds {
			return true
		}
	}
	return false
}

// gone is how many events told that a user went OFFLINE, for each who did.
func (s *seen) gone() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := make(map[string]int)
	for _, e := range s.events {
		if e.Status == sumu.Offline {
			users[e.UserID]++
		}
	}
	return users
}

// leads reports whether a node leads.
func (f *fleet) leads(p *process) bool {
	f.t.Helper()
	r, err := f.store.LoadRecord(f.t.Context(), "lead", "presence")
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.HasPrefix(string(r.Value), p.name+"-")
}

// is reports whether a user's presence is a status, told by an event of a version.
func (f *fleet) is(user string, status sumu.Status, version int64) bool {
	f.t.Helper()
	row, err := f.store.Presence(f.t.Context(), user)
	if err != nil {
		f.t.Fatal(err)
	}
	return row.Status == status && row.Version == version && row.Announced == version
}

// members are the users in a channel.
func (f *fleet) members(channel string) (users []string) {
	f.t.Helper()
	for m, err := range f.store.Members(f.t.Context(), channel, "") {
		if err != nil {
			f.t.Fatal(err)
		}
		users = append(users, m.Connection.UserID)
	}
	return users
}

// TestPresence: clients of two nodes meet in a channel, and when one of the
// nodes is killed, those of the other see each of its users go, once, and nobody
// else; also when it was the node that follows the stream.
func TestPresence(t *testing.T) {
	for _, leader := range []bool{true, false} {
		t.Run(map[bool]string{true: "of the leader", false: "of another"}[leader], func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.vars = append(f.vars, "SUMU_PRESENCE=notify", "JWT_GRANTS=join,post:room.*") // The last one counts.
			a := f.start("a")
			f.until("a leads", func() bool { return f.leads(a) })
			killed, lives := a, f.start("b")
			if !leader {
				killed, lives = lives, killed
			}
			f.meetAndDie(killed, lives)
		})
	}
}

func (f *fleet) meetAndDie(killed, lives *process) {
	f.t.Helper()
	zoe := f.join(lives, "zoe")
	told := listen(zoe)
	bob := f.join(lives, "bob")
	bobSees := listen(bob)
	// Who has a socket on either node stays.
	listen(f.join(lives, "cem"))
	listen(f.join(killed, "cem"))
	const n = 5
	var first *wstest.Conn
	want := make(map[string]int)
	for i := range n {
		user := fmt.Sprint("user-", i)
		want[user] = 1
		conn := f.join(killed, user)
		if i == 0 {
			first = conn
			continue
		}
		listen(conn)
	}
	of := listen(first)
	for _, user := range []string{"zoe", "bob", "cem", "user-0", "user-4"} {
		f.until(user+" is online", func() bool { return f.is(user, sumu.Online, 1) })
	}

	// A channel across the nodes, for those whom a grant lets in.
	first.Send(wstest.Text(`{"action":"joinchannel","channel":"hall.1"}`))
	f.until("the channel that no grant names is refused", func() bool { return of.got(`"error"`, "forbidden") })
	first.Send(wstest.Text(`{"action":"joinchannel","channel":"room.1"}`))
	f.until("the member is told that it is one", func() bool { return of.got(`"channel":"room.1"`, "connectionId") })
	zoe.Send(wstest.Text(`{"action":"sendmessage","channel":"room.1","message":"from the other node"}`))
	f.until("the member gets the message", func() bool { return of.got(`"from":"zoe"`, `"from the other node"`) })

	if gone := told.gone(); len(gone) > 0 {
		f.t.Errorf("went before the node was killed: %v", gone)
	}
	if err := killed.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		f.t.Fatal(err)
	}
	<-killed.ended
	f.until("each user is seen to go", func() bool { return len(told.gone()) >= n })
	f.until("the living node leads", func() bool { return f.leads(lives) })
	f.until("nobody is left in the channel", func() bool { return len(f.members("room.1")) == 0 })
	// The versions are without a gap: what the store has is all that was told.
	for user := range want {
		f.until(user+" went once", func() bool { return f.is(user, sumu.Offline, 2) })
	}
	for _, user := range []string{"zoe", "bob", "cem"} {
		if !f.is(user, sumu.Online, 1) {
			f.t.Errorf("%s, who is there, was not all the time", user)
		}
	}
	if status := lives.notify(notifySecret, `{"users":["zoe"],"data":"the end"}`); status != 202 {
		f.t.Errorf("POST /notify: %d", status)
	}
	f.until("the living node delivers", func() bool { return told.got("the end") })
	if gone := told.gone(); !maps.Equal(gone, want) {
		f.t.Errorf("seen to go: %v; want %v", gone, want)
	}

	// A row that anybody else removes takes its memberships along too.
	bob.Send(wstest.Text(`{"action":"joinchannel","channel":"room.2"}`))
	f.until("bob is told that he is a member", func() bool { return bobSees.got(`"channel":"room.2"`, "connectionId") })
	if err := f.store.Delete(f.t.Context(), f.rows("bob")[0].Ref()); err != nil {
		f.t.Fatal(err)
	}
	f.until("nobody is left in the other channel", func() bool { return len(f.members("room.2")) == 0 })
}
