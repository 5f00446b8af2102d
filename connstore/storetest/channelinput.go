package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sumu-live/sumu"
)

func byRef(a, b sumu.Connection) int {
	return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.ID, b.ID))
}

var badChannels = []string{
	"", " ", "a b", "a\tb", "a\nb", "a\x00b", "a#b", "*", "room.*", "\xff", "a\u00a0b", "a\u0085b",
	strings.Repeat("c", sumu.MaxChannel+1), strings.Repeat("ü", sumu.MaxChannel/2+1),
}

// wantBadChannel fails unless every call that names the channel is refused.
func (e *env) wantBadChannel(c sumu.Connection, channel string) {
	e.Helper()
	s, what := e.channels(), fmt.Sprintf(" of channel %q", short(channel))
	e.wantKind("Join"+what, s.Join(e.ctx, c, channel, 0), sumu.ErrInvalid)
	e.wantKind("Leave"+what, s.Leave(e.ctx, c.Ref(), channel), sumu.ErrInvalid)
	_, err := s.IsMember(e.ctx, c.Ref(), channel)
	e.wantKind("IsMember"+what, err, sumu.ErrInvalid)
	_, err = s.CountMembers(e.ctx, channel)
	e.wantKind("CountMembers"+what, err, sumu.ErrInvalid)
	e.wantOneError("Members"+what, count(s.Members(e.ctx, channel, "")), sumu.ErrInvalid)
}

// wantBadAttachments fails unless a reference is refused by what all that can
// be attached has in common.
func (e *env) wantBadAttachments(ref sumu.ConnectionRef) {
	e.Helper()
	s := power[sumu.AttachmentStore](e)
	e.wantKind("Forget of "+name(ref), s.Forget(e.ctx, ref), sumu.ErrInvalid)
	e.wantKind("Prolong of "+name(ref), s.Prolong(e.ctx, ref, e.f.Now()), sumu.ErrInvalid)
}

// badCursors are none of any store's.
var badCursors = []string{"?", " ", "\x00", "x/y/z/", "ü", "1", "-1/x", "99999999999999999999/x", "....", "{}"}

// cursorsOf returns where the members are.
func cursorsOf(members []sumu.Member) (cursors []string) {
	for _, m := range members {
		cursors = append(cursors, m.Cursor)
	}
	return cursors
}

// memberRefs returns who the members are, in their order.
func memberRefs(members []sumu.Member) (refs []sumu.ConnectionRef) {
	for _, m := range members {
		refs = append(refs, m.Connection.Ref())
	}
	return refs
}

var memberCases = []testCase{
	{"Members of more than a page come exactly once", func(e *env) {
		conns := e.crowd("guest", e.f.crowd)
		e.put(conns...)
		e.join("room", conns...)
		e.join("rooms", conns[:3]...)
		e.wantMembers("room", conns...)
		all := e.members("room", "")
		for _, at := range []int{0, 1, len(all) / 2, len(all) - 2} {
			e.wantOrder(fmt.Sprintf("after member %d", at),
				memberRefs(e.members("room", all[at].Cursor)), memberRefs(all[at+1:]))
		}
	}},

	{"Members resume behind any cursor, also of one who has left", func(e *env) {
		conns := append(e.table(), e.conn("z", "z"))
		e.put(conns...)
		e.join("room", conns...)
		e.wantMembers("room", conns...)
		all := e.members("room", "")
		order := memberRefs(all)
		for i, m := range all {
			e.wantOrder("after "+name(order[i]), memberRefs(e.members("room", m.Cursor)), order[i+1:])
		}
		for i, m := range all {
			e.leave("room", order[i])
			e.hold(func() error {
				return sameRefs(memberRefs(e.members("room", m.Cursor)), order[i+1:])
			})
		}
		e.wantMembers("room")
	}},

	{"Members stopped and resumed again and again come exactly once, though others come and go", func(e *env) {
		conns := e.crowd("u1", 60)
		others := append(e.crowd("u0", 30), e.crowd("u2", 30)...) // On both sides, whatever the order.
		e.put(conns...)
		e.put(others...)
		e.join("room", conns...)
		e.wantMembers("room", conns...)
		var got []sumu.ConnectionRef
		for after, step := "", 0; ; step++ {
			var part []sumu.Member
			for m, err := range e.channels().Members(e.ctx, "room", after) {
				if err != nil {
					e.Fatalf("Members: %v", err)
				}
				if part = append(part, m); len(part) == 1+step%5 {
					break
				}
			}
			if len(part) == 0 {
				break
			}
			after = part[len(part)-1].Cursor
			got = append(got, memberRefs(part)...)
			other := others[step%len(others)]
			if step%2 == 0 {
				e.join("room", other)
			} else {
				e.leave("room", others[(step-1)%len(others)].Ref())
			}
		}
		got = slices.DeleteFunc(got, func(r sumu.ConnectionRef) bool { return r.UserID != "u1" })
		slices.SortFunc(got, func(a, b sumu.ConnectionRef) int { return cmp.Compare(a.ConnectionID, b.ConnectionID) })
		want := make([]sumu.ConnectionRef, len(conns))
		for i, c := range conns {
			want[i] = c.Ref()
		}
		e.wantOrder("resumed", got, want)
	}},

	{"A cursor is text that JSON leaves as it is", func(e *env) {
		conns := []sumu.Connection{e.conn("ü\u2028", "<&>"), e.conn("u\x00", "\x01"), e.conn("\"", "\\")}
		e.put(conns...)
		e.join("room", conns...)
		e.wantMembers("room", conns...)
		for _, cursor := range cursorsOf(e.members("room", "")) {
			if cursor == "" || strings.ContainsFunc(cursor, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
				e.Errorf("the cursor is %q", cursor)
			}
		}
	}},

	{"A cursor of members that cannot be is ErrInvalid", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		e.join("room", a)
		for _, cursor := range badCursors {
			e.wantOneError(fmt.Sprintf("Members after %q", cursor), count(e.channels().Members(e.ctx, "room", cursor)), sumu.ErrInvalid)
		}
	}},

	{"The loop over members may call the store", func(e *env) {
		conns := e.crowd("u1", 40)
		e.put(conns...)
		e.join("room", conns...)
		e.wantMembers("room", conns...)
		n := 0
		for m, err := range e.channels().Members(e.ctx, "room", "") {
			if err != nil {
				e.Fatalf("Members: %v", err)
			}
			n++
			e.leave("room", m.Connection.Ref())
			if err := e.store.Delete(e.ctx, m.Connection.Ref()); err != nil {
				e.Fatalf("Delete: %v", err)
			}
		}
		if n != len(conns) {
			e.Errorf("%d members are yielded, want %d", n, len(conns))
		}
		e.wantMembers("room")
	}},

	{"Calls about channels with a cancelled context fail with its error", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		e.join("room", a)
		e.wantMembers("room", a)
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		s := e.channels()
		e.wantKind("Join", s.Join(ctx, a, "other", 0), context.Canceled)
		e.wantKind("Leave", s.Leave(ctx, a.Ref(), "room"), context.Canceled)
		e.wantKind("Forget", s.Forget(ctx, a.Ref()), context.Canceled)
		e.wantKind("Prolong", s.Prolong(ctx, a.Ref(), e.f.Now()), context.Canceled)
		_, err := s.IsMember(ctx, a.Ref(), "room")
		e.wantKind("IsMember", err, context.Canceled)
		_, err = s.CountMembers(ctx, "room")
		e.wantKind("CountMembers", err, context.Canceled)
		e.wantOneError("Members", count(s.Members(ctx, "room", "")), context.Canceled)
		e.wantOneError("Channels", count(s.Channels(ctx, a.Ref())), context.Canceled)
		e.wantMembers("room", a)
		e.wantMembers("other")
	}},
}
