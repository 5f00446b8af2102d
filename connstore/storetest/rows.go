package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

var rowCases = []testCase{
	{"Get returns the row that Put wrote", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		e.wantRow(c)
	}},

	{"A row's zero fields stay zero", func(e *env) {
		c := sumu.Connection{UserID: "u1", ID: "c1"}
		e.put(c)
		e.wantRow(c)
		e.wantByUser("u1", c)
		e.wantLive("u1", true)
	}},

	{"ConnectedAt is kept to the millisecond", func(e *env) {
		c := e.conn("u1", "c1")
		for _, ms := range []time.Duration{0, 1, 10, 500, 999} {
			c.ConnectedAt = time.Unix(1_600_000_000, 0).Add(ms * time.Millisecond)
			e.put(c)
			e.wantRow(c)
		}
	}},

	{"Times of another zone are the same instants", func(e *env) {
		c := e.conn("u1", "c1")
		zone := time.FixedZone("east", 5*3600)
		c.ConnectedAt, c.DeleteAt = c.ConnectedAt.In(zone), c.DeleteAt.In(zone)
		e.put(c)
		e.wantRow(c)
	}},

	{"Put replaces a row with the same user and id", func(e *env) {
		e.put(e.conn("u1", "c1"))
		c := e.conn("u1", "c1")
		c.Endpoint = "https://node-2.example.com"
		c.ConnectedAt = c.ConnectedAt.Add(time.Minute)
		c.DeleteAt = c.DeleteAt.Add(time.Minute)
		c.AuthExpiresAt = c.AuthExpiresAt.Add(time.Minute)
		e.put(c)
		e.wantRow(c)
		e.wantByUser("u1", c)
	}},

	{"Put replaces a row whole: fields that are zero now were not before", func(e *env) {
		e.put(e.conn("u1", "c1"))
		c := sumu.Connection{UserID: "u1", ID: "c1"}
		e.put(c)
		e.wantRow(c)
		e.wantByUser("u1", c)
	}},

	{"Get of an absent row is ErrGone", func(e *env) {
		e.wantAbsent(sumu.ConnectionRef{UserID: "u1", ConnectionID: "c1"})
		e.put(e.conn("u1", "c1"))
		e.wantAbsent(sumu.ConnectionRef{UserID: "u1", ConnectionID: "c2"})
		e.wantAbsent(sumu.ConnectionRef{UserID: "u2", ConnectionID: "c1"})
	}},

	{"Delete removes a row", func(e *env) {
		c, other := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(c, other)
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		e.wantAbsent(c.Ref())
		e.wantRow(other)
		e.wantByUser("u1", other)
	}},

	{"Delete of an absent row is no error", func(e *env) {
		c := e.conn("u1", "c1")
		for range 2 {
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Errorf("Delete: %v", err)
			}
		}
		e.put(c)
		for range 2 {
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Errorf("Delete: %v", err)
			}
		}
	}},

	{"A row can be written again after it was deleted", func(e *env) {
		c := e.conn("u1", "c1")
		for range 3 {
			e.put(c)
			e.wantRow(c)
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Fatalf("Delete: %v", err)
			}
			e.wantAbsent(c.Ref())
		}
	}},

	{"HasLive reports whether the user has a row, at once", func(e *env) {
		e.wantLive("u1", false)
		for i := range 20 {
			c := e.conn("u1", fmt.Sprint("c", i))
			e.put(c)
			e.wantLive("u1", true)
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Fatalf("Delete: %v", err)
			}
			e.wantLive("u1", false)
		}
	}},

	{"HasLive is true until the last of several rows is gone", func(e *env) {
		a, b := e.conn("u1", "a"), e.conn("u1", "b")
		e.put(a, b)
		for _, c := range []sumu.Connection{a, b} {
			e.wantLive("u1", true)
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Fatalf("Delete: %v", err)
			}
		}
		e.wantLive("u1", false)
	}},

	{"Ids may hold any characters", func(e *env) {
		var rows []sumu.Connection
		for i, user := range oddIDs {
			// Each with itself, with its neighbour and with some others.
			for _, step := range []int{0, 1, 7, 12, 20} {
				rows = append(rows, e.conn(user, oddIDs[(i+step)%len(oddIDs)]))
			}
		}
		e.put(rows...)
		for _, c := range rows {
			e.wantRow(c)
		}
		e.wantAll(sumu.Segment{}, rows)
	}},

	{"Ids may be as long as allowed", func(e *env) {
		rows := []sumu.Connection{
			e.conn(strings.Repeat("u", sumu.MaxUserID), strings.Repeat("c", sumu.MaxConnectionID)),
			e.conn(strings.Repeat("ü", sumu.MaxUserID/2), strings.Repeat("ç", sumu.MaxConnectionID/2)),
		}
		e.put(rows...)
		for _, c := range rows {
			e.wantRow(c)
			e.wantByUser(c.UserID, c)
			e.wantLive(c.UserID, true)
		}
		e.wantAll(sumu.Segment{}, rows)
		for _, c := range rows {
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Errorf("Delete: %v", err)
			}
			e.wantAbsent(c.Ref())
		}
	}},
}

// oddIDs have characters that keys are joined, split, quoted or encoded with,
// and are prefixes of each other.
var oddIDs = []string{
	"a", "a:", "a:b", "b", ":", "::", "#", "a#b", "/", "a/b", "../a", "=", "Zm9v=", "%", "a%3Ab", "+", "?", "*",
	" ", "a b", " a", "a ", "\t", "\n", "\x00", "a\x00b", "\"", "'", "\\", "{}", "null", "0", "-1",
	"ä", "a\u0308", "\u65e5\u672c", "\uffee", "\U0001F600", "A",
}
