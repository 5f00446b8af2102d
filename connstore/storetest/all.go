package storetest

import (
	"fmt"
	"iter"
	"strings"

	"github.com/sumu-live/sumu"
)

// wantAll fails unless All yields each of the rows exactly once, in any order,
// and no others.
func (e *env) wantAll(seg sumu.Segment, want []sumu.Connection) {
	e.Helper()
	e.eventually(func() error {
		got, err := collect(e.store.All(e.ctx, seg))
		if err != nil {
			return fmt.Errorf("all: %w", err)
		}
		return sameRows(got, want)
	})
}

func sameRows(got, want []sumu.Connection) error {
	missing := make(map[sumu.ConnectionRef]sumu.Connection, len(want))
	for _, c := range want {
		missing[c.Ref()] = c
	}
	seen := make(map[sumu.ConnectionRef]bool, len(want))
	for _, c := range got {
		ref := c.Ref()
		w, ok := missing[ref]
		switch {
		case seen[ref]:
			return fmt.Errorf("all yields %s twice", name(ref))
		case !ok:
			return fmt.Errorf("all yields %s, which is not among the rows", name(ref))
		}
		if diff := difference(c, w); diff != "" {
			return fmt.Errorf("all: %s: %s", name(ref), diff)
		}
		seen[ref] = true
		delete(missing, ref)
	}
	for ref := range missing {
		return fmt.Errorf("all does not yield %s and %d others", name(ref), len(missing)-1)
	}
	return nil
}

// outcome is what ranging over an iterator came to.
type outcome struct {
	rows int
	errs []error
}

func count[R any](seq iter.Seq2[R, error]) (o outcome) {
	for _, err := range seq {
		if err != nil {
			o.errs = append(o.errs, err)
		} else {
			o.rows++
		}
	}
	return o
}

// wantOneError fails unless there was one error of the kind and nothing else.
func (e *env) wantOneError(what string, o outcome, kind error) {
	e.Helper()
	if o.rows > 0 || len(o.errs) != 1 {
		e.Errorf("%s yields %d rows and the errors %v, want one %v", what, o.rows, o.errs, kind)
		return
	}
	e.wantKind(what, o.errs[0], kind)
}

// table returns live rows of many users: one each, some, and a user with many.
func (e *env) table() []sumu.Connection {
	var rows []sumu.Connection
	for u := range 32 {
		for c := range 1 + u%4 {
			rows = append(rows, e.conn(fmt.Sprint("user-", u), fmt.Sprint("c", c)))
		}
	}
	for c := range 30 {
		rows = append(rows, e.conn("guest", fmt.Sprint("g", c)))
	}
	return rows
}

// expiredTable returns expired rows among those of table.
func (e *env) expiredTable() []sumu.Connection {
	var rows []sumu.Connection
	for u := range 30 {
		rows = append(rows, e.expired(fmt.Sprint("user-", u), "c9"), e.expired(fmt.Sprint("past-", u), "c0"))
	}
	return rows
}

var allCases = []testCase{
	{"All of an empty table yields nothing", func(e *env) {
		e.wantAll(sumu.Segment{}, nil)
		e.wantAll(sumu.Segment{Index: 2, Count: 3}, nil)
	}},

	{"All yields every live row exactly once", func(e *env) {
		rows := e.table()
		e.put(e.expiredTable()...)
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		e.wantAll(sumu.Segment{Count: 1}, rows)
	}},

	{"Segments are disjoint and cover the table", func(e *env) {
		rows := e.table()
		e.put(e.expiredTable()...)
		e.put(rows...)
		for _, n := range []int{1, 2, 3, 7, 100} {
			e.eventually(func() error {
				var got []sumu.Connection
				for i := range n {
					part, err := collect(e.store.All(e.ctx, sumu.Segment{Index: i, Count: n}))
					if err != nil {
						return fmt.Errorf("segment %d of %d: %w", i, n, err)
					}
					got = append(got, part...)
				}
				if err := sameRows(got, rows); err != nil {
					return fmt.Errorf("%d segments: %w", n, err)
				}
				return nil
			})
		}
	}},

	{"All has a stable order", func(e *env) {
		rows := e.table()
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		first := e.order(sumu.Segment{})
		for range 3 {
			e.wantOrder("a second scan", e.order(sumu.Segment{}), first)
		}
	}},

	{"Rows of more than a page come exactly once", func(e *env) {
		rows := e.crowd("guest", e.f.crowd)
		rows = append(rows, e.conn("u1", "c1"), e.conn("u2", "c1"))
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		// From inside of the crowd onwards.
		order := e.order(sumu.Segment{})
		for _, at := range []int{0, 1, len(order) / 3, len(order) / 2, len(order) - 2} {
			e.wantOrder(fmt.Sprintf("after row %d", at), e.order(sumu.Segment{After: order[at]}), order[at+1:])
		}
	}},
}

// defaultCrowd is more rows than fit any page.
const defaultCrowd = 3000

// longEndpoint makes rows that fill DynamoDB's page of 1 MB (read 2026-11).
var longEndpoint = "https://node-1.example.com/" + strings.Repeat("x", 400)

// crowd returns many rows of one user, in the order of their ids.
func (e *env) crowd(user string, n int) []sumu.Connection {
	rows := make([]sumu.Connection, n)
	for i := range rows {
		rows[i] = e.conn(user, fmt.Sprintf("connection-%06d", i))
		rows[i].Endpoint = longEndpoint
	}
	return rows
}

// sameRefs says how got differs from want, order included.
func sameRefs(got, want []sumu.ConnectionRef) error {
	if len(got) != len(want) {
		return fmt.Errorf("all yields %d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Errorf("all: row %d is %s, want %s", i, name(got[i]), name(want[i]))
		}
	}
	return nil
}
