package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sumu-live/sumu"
)

// sorted sorts rows by the bytes of their ids.
func sorted(rows []sumu.Connection) []sumu.Connection {
	slices.SortFunc(rows, func(a, b sumu.Connection) int { return strings.Compare(a.ID, b.ID) })
	return rows
}

var byUserCases = []testCase{
	{"ByUser of an unknown user yields nothing", func(e *env) {
		e.put(e.conn("u2", "c1"))
		e.wantByUser("u1")
		e.wantByUser("u")
		e.wantByUser("u22")
	}},

	{"ByUser yields the rows in ascending byte order of their ids", func(e *env) {
		var rows []sumu.Connection
		for _, id := range oddIDs {
			rows = append(rows, e.conn("u1", id))
		}
		e.put(rows...)
		e.wantByUser("u1", sorted(rows)...)
	}},

	{"ByUser yields the rows in order however they were written", func(e *env) {
		rows := e.crowd("u1", 200)
		// Every third backwards, the rest forwards, and some twice.
		for i := len(rows) - 1; i >= 0; i -= 3 {
			e.put(rows[i])
		}
		e.put(rows...)
		e.wantByUser("u1", rows...)
	}},

	{"Users whose ids resemble each other are kept apart", func(e *env) {
		byUser := make(map[string][]sumu.Connection)
		for i, user := range oddIDs {
			for c := range 1 + i%3 {
				byUser[user] = append(byUser[user], e.conn(user, fmt.Sprint("c", c)))
			}
			e.put(byUser[user]...)
		}
		for user, rows := range byUser {
			e.wantByUser(user, rows...)
		}
		// Deleting what one user has leaves the others alone.
		for _, user := range oddIDs {
			for _, c := range byUser[user] {
				if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
					e.Fatalf("Delete: %v", err)
				}
			}
			delete(byUser, user)
			e.wantLive(user, false)
			for other := range byUser {
				e.wantLive(other, true)
			}
		}
	}},

	{"What is joined of user and id is told apart", func(e *env) {
		rows := []sumu.Connection{
			e.conn("a", "b:c"), e.conn("a:b", "c"), e.conn("a", "b#c"), e.conn("a#b", "c"),
			e.conn("a", "b/c"), e.conn("a/b", "c"), e.conn("a", "bc"), e.conn("ab", "c"),
			e.conn("a", "b\x00c"), e.conn("a\x00b", "c"), e.conn("a", "b c"), e.conn("a b", "c"),
		}
		for i := range rows {
			rows[i].Endpoint = fmt.Sprint("https://node-", i)
		}
		e.put(rows...)
		for _, c := range rows {
			e.wantRow(c)
		}
		e.wantAll(sumu.Segment{}, rows)
	}},

	{"ByUser yields the rows of more than a page", func(e *env) {
		rows := e.crowd("guest", e.f.crowd)
		e.put(e.conn("gues", "c1"), e.conn("guest0", "c1"))
		e.put(rows...)
		e.wantByUser("guest", rows...)
		e.wantLive("guest", true)
	}},
}
