package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) channels() sumu.ChannelStore { return power[sumu.ChannelStore](e) }

// join makes connections, whose rows must be there, members of a channel.
func (e *env) join(channel string, conns ...sumu.Connection) {
	e.Helper()
	s := e.channels()
	err := parallel(len(conns), func(i int) error { return s.Join(e.ctx, conns[i], channel, 0) })
	if err != nil {
		e.Fatalf("Join: %v", err)
	}
}

func (e *env) leave(channel string, ref sumu.ConnectionRef) {
	e.Helper()
	if err := e.channels().Leave(e.ctx, ref, channel); err != nil {
		e.Fatalf("Leave: %v", err)
	}
}

// members returns the members of a channel behind a cursor.
func (e *env) members(channel, after string) []sumu.Member {
	e.Helper()
	members, err := collect(e.channels().Members(e.ctx, channel, after))
	if err != nil {
		e.Fatalf("Members: %v", err)
	}
	return members
}

// wantMembers fails unless Members yields each of the connections exactly once
// and no others, and CountMembers agrees.
func (e *env) wantMembers(channel string, want ...sumu.Connection) {
	e.Helper()
	e.hold(func() error {
		var got []sumu.Connection
		for m, err := range e.channels().Members(e.ctx, channel, "") {
			if err != nil {
				return fmt.Errorf("members of %q: %w", channel, err)
			}
			got = append(got, m.Connection)
		}
		for i := range want { // A sender needs no more.
			want[i].AuthExpiresAt = time.Time{}
		}
		if err := sameRows(got, want); err != nil {
			return fmt.Errorf("members of %q: %w", channel, err)
		}
		n, err := e.channels().CountMembers(e.ctx, channel)
		if err != nil || n != len(want) {
			return fmt.Errorf("members of %q: the count is %d, %w, want %d", channel, n, err, len(want))
		}
		return nil
	})
}

// wantMember fails unless IsMember says so.
func (e *env) wantMember(ref sumu.ConnectionRef, channel string, want bool) {
	e.Helper()
	e.hold(func() error {
		is, err := e.channels().IsMember(e.ctx, ref, channel)
		if err != nil || is != want {
			return fmt.Errorf("IsMember of %s in %q is %t, %w, want %t", name(ref), channel, is, err, want)
		}
		return nil
	})
}

// wantChannels fails unless Channels yields these, in their order.
func (e *env) wantChannels(ref sumu.ConnectionRef, want ...string) {
	e.Helper()
	got, err := collect(e.channels().Channels(e.ctx, ref))
	if err != nil || !slices.Equal(got, want) {
		e.Errorf("Channels of %s: %q, %v, want %q", name(ref), got, err, want)
	}
}

// oddChannels resemble each other, and what stores are made of.
var oddChannels = []string{
	"room.4", "room.42", "Room.42", "room", "room.", "room/42", "/room", "0/room", "1/room.42", "member/x",
	"shards", "channel/0/room", "ü", "u\u0308", "日本", "\"", "{}", "%", "a|b", "a:b", "\\",
}

var channelCases = []testCase{
	{"Who joined is a member, with what a sender needs", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u2", "c1")
		b.Endpoint, b.ConnectedAt, b.DeleteAt = "", time.Time{}, time.Time{}
		e.put(a, b)
		e.wantMembers("room")
		e.join("room", a, b)
		e.wantMembers("room", a, b)
		e.wantMember(a.Ref(), "room", true)
		e.wantMember(b.Ref(), "room", true)
		e.wantMember(a.Ref(), "other", false)
		e.wantMember(sumu.ConnectionRef{UserID: "u1", ConnectionID: "c2"}, "room", false)
		e.wantChannels(a.Ref(), "room")
		e.wantChannels(sumu.ConnectionRef{UserID: "u2", ConnectionID: "c2"})
	}},

	{"To join twice is to join once", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		for range 3 {
			e.join("room", a)
		}
		e.wantMembers("room", a)
		e.wantChannels(a.Ref(), "room")
		e.leave("room", a.Ref())
		e.wantMembers("room")
	}},

	{"Join without a live row is ErrGone and leaves nothing behind", func(e *env) {
		absent, past := e.conn("u1", "c1"), e.expired("u2", "c1")
		e.put(past)
		for _, c := range []sumu.Connection{absent, past} {
			c.DeleteAt = e.f.Now().Add(time.Hour) // The row decides.
			e.wantKind("Join", e.channels().Join(e.ctx, c, "room", 0), sumu.ErrGone)
			e.wantMember(c.Ref(), "room", false)
			e.wantChannels(c.Ref())
		}
		e.wantMembers("room")
		e.put(absent)
		e.wantMembers("room")
		e.wantChannels(absent.Ref())
	}},

	{"Join above the limit is ErrLimit and leaves nothing behind", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		for _, channel := range []string{"r1", "r2", "r3"} {
			if err := e.channels().Join(e.ctx, a, channel, 3); err != nil {
				e.Fatalf("Join of %s, at most 3: %v", channel, err)
			}
		}
		for most := 1; most <= 3; most++ {
			e.wantKind(fmt.Sprintf("Join of a 4th, at most %d", most), e.channels().Join(e.ctx, a, "r4", most), sumu.ErrLimit)
		}
		e.wantMembers("r4")
		e.wantMember(a.Ref(), "r4", false)
		e.wantChannels(a.Ref(), "r1", "r2", "r3")
		e.leave("r2", a.Ref())
		if err := e.channels().Join(e.ctx, a, "r4", 3); err != nil {
			e.Errorf("Join after Leave has made room: %v", err)
		}
		e.wantMembers("r4", a)
	}},

	{"A channel that a connection is in already is within the limit", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		e.join("r1", a)
		e.join("r2", a)
		for most := 1; most <= 3; most++ {
			if err := e.channels().Join(e.ctx, a, "r1", most); err != nil {
				e.Errorf("Join again, at most %d: %v", most, err)
			}
		}
		e.wantMembers("r1", a)
		e.wantChannels(a.Ref(), "r1", "r2")
	}},

	{"The limit counts the channels of one connection, and 0 or less is none", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(a, b)
		for i, most := range []int{0, -1, 0, -7} {
			if err := e.channels().Join(e.ctx, a, fmt.Sprint("r", i), most); err != nil {
				e.Errorf("Join, at most %d: %v", most, err)
			}
		}
		if err := e.channels().Join(e.ctx, b, "r1", 1); err != nil {
			e.Errorf("Join of another connection: %v", err)
		}
		e.wantChannels(a.Ref(), "r0", "r1", "r2", "r3")
		e.wantMembers("r1", a, b)
	}},

	{"Leave ends one membership, and one that never was is no error", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(a, b)
		e.leave("room", a.Ref())
		e.leave("room", sumu.ConnectionRef{UserID: "nobody", ConnectionID: "c1"})
		e.join("room", a, b)
		e.join("other", a)
		for range 2 {
			e.leave("room", a.Ref())
			e.wantMembers("room", b)
			e.wantMembers("other", a)
			e.wantMember(a.Ref(), "room", false)
			e.wantChannels(a.Ref(), "other")
		}
		e.join("room", a)
		e.wantMembers("room", a, b)
	}},

	{"Channels come in ascending byte order and are kept apart", func(e *env) {
		conns := []sumu.Connection{e.conn("u1", "c1"), e.conn("u2", "c1"), e.conn("u3", "c1")}
		e.put(conns...)
		in := make([][]string, len(conns))
		for i, channel := range oddChannels {
			e.join(channel, conns[i%3])
			in[i%3] = append(in[i%3], channel)
		}
		for i, channel := range oddChannels {
			e.wantMembers(channel, conns[i%3])
			e.wantMember(conns[(i+1)%3].Ref(), channel, false)
		}
		for i, c := range conns {
			slices.Sort(in[i])
			e.wantChannels(c.Ref(), in[i]...)
		}
	}},

	{"Connections whose names resemble each other are members of their own", func(e *env) {
		var conns []sumu.Connection
		for i, id := range oddIDs {
			conns = append(conns, e.conn(id, "c1"), e.conn("u", id), e.conn(id, oddIDs[(i+1)%len(oddIDs)]))
		}
		conns = append(conns, e.conn("ab", "c"), e.conn("a", "bc"), e.conn("a\x00b", "c"), e.conn("a", "b\x00c"))
		slices.SortFunc(conns, byRef)
		conns = slices.CompactFunc(conns, func(a, b sumu.Connection) bool { return a.Ref() == b.Ref() })
		e.put(conns...)
		e.join("room", conns...)
		e.wantMembers("room", conns...)
		for i, c := range conns {
			if i%2 == 0 {
				e.leave("room", c.Ref())
			}
		}
		var left []sumu.Connection
		for i, c := range conns {
			e.wantMember(c.Ref(), "room", i%2 == 1)
			if i%2 == 1 {
				left = append(left, c)
			}
		}
		e.wantMembers("room", left...)
	}},

	{"A name of a channel or a reference that does not validate is ErrInvalid", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		for _, channel := range badChannels {
			e.wantBadChannel(a, channel)
		}
		for _, ref := range badRefs {
			e.wantBadChannel(e.conn(ref.UserID, ref.ConnectionID), "")
			s := e.channels()
			e.wantKind("Join of "+name(ref), s.Join(e.ctx, e.conn(ref.UserID, ref.ConnectionID), "room", 0), sumu.ErrInvalid)
			e.wantKind("Leave of "+name(ref), s.Leave(e.ctx, ref, "room"), sumu.ErrInvalid)
			_, err := s.IsMember(e.ctx, ref, "room")
			e.wantKind("IsMember of "+name(ref), err, sumu.ErrInvalid)
			e.wantOneError("Channels of "+name(ref), count(s.Channels(e.ctx, ref)), sumu.ErrInvalid)
			e.wantBadAttachments(ref)
		}
		e.wantMembers("room")
		e.wantChannels(a.Ref())
	}},
}
