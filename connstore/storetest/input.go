package storetest

import (
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

var inputCases = []testCase{
	{"A row or reference that does not validate is ErrInvalid", func(e *env) {
		for _, ref := range badRefs {
			c := e.conn(ref.UserID, ref.ConnectionID)
			e.wantKind("Put of "+name(ref), e.store.Put(e.ctx, c), sumu.ErrInvalid)
			_, err := e.store.Get(e.ctx, ref)
			e.wantKind("Get of "+name(ref), err, sumu.ErrInvalid)
			e.wantKind("Delete of "+name(ref), e.store.Delete(e.ctx, ref), sumu.ErrInvalid)
			_, err = e.store.Prune(e.ctx, ref, time.Now())
			e.wantKind("Prune of "+name(ref), err, sumu.ErrInvalid)
			if e.f.Touch {
				err = power[sumu.Toucher](e).Touch(e.ctx, ref, c.DeleteAt)
				e.wantKind("Touch of "+name(ref), err, sumu.ErrInvalid)
			}
		}
		e.wantAll(sumu.Segment{}, nil)
	}},

	{"A user id that does not validate is ErrInvalid", func(e *env) {
		for _, user := range badUsers {
			what := " of " + short(user)
			_, err := e.store.HasLive(e.ctx, user)
			e.wantKind("HasLive"+what, err, sumu.ErrInvalid)
			e.wantOneError("ByUser"+what, count(e.store.ByUser(e.ctx, user)), sumu.ErrInvalid)
			if !e.f.Presence {
				continue
			}
			p := e.presence()
			_, err = p.Presence(e.ctx, user)
			e.wantKind("Presence"+what, err, sumu.ErrInvalid)
			err = p.SavePresence(e.ctx, sumu.PresenceRow{UserID: user, Status: sumu.Offline, Seq: 1})
			e.wantKind("SavePresence"+what, err, sumu.ErrInvalid)
			e.wantKind("MarkAnnounced"+what, p.MarkAnnounced(e.ctx, user, 1), sumu.ErrInvalid)
		}
	}},

	{"A segment that does not exist is ErrInvalid", func(e *env) {
		e.put(e.conn("u1", "c1"))
		for _, seg := range []sumu.Segment{
			{Index: 1}, {Index: -1}, {Count: -1}, {Index: 3, Count: 3}, {Index: -1, Count: 3},
		} {
			e.wantOneError("All", count(e.store.All(e.ctx, seg)), sumu.ErrInvalid)
			if e.f.Presence {
				rows := power[sumu.PresenceStore](e).PresenceRows(e.ctx, seg)
				e.wantOneError("PresenceRows", count(rows), sumu.ErrInvalid)
			}
		}
	}},
}

var badUsers = []string{"", strings.Repeat("u", sumu.MaxUserID+1)}

var badRefs = []sumu.ConnectionRef{
	{},
	{UserID: "u1"},
	{ConnectionID: "c1"},
	{UserID: "u1", ConnectionID: strings.Repeat("c", sumu.MaxConnectionID+1)},
	{UserID: strings.Repeat("u", sumu.MaxUserID+1), ConnectionID: "c1"},
	// Characters are not bytes.
	{UserID: strings.Repeat("ü", sumu.MaxUserID/2+1), ConnectionID: "c1"},
}
