package storetest

import "github.com/sumu-live/sumu"

// order returns the references of a scan, in its order.
func (e *env) order(seg sumu.Segment) []sumu.ConnectionRef {
	e.Helper()
	rows, err := collect(e.store.All(e.ctx, seg))
	if err != nil {
		e.Fatalf("All: %v", err)
	}
	refs := make([]sumu.ConnectionRef, len(rows))
	for i, c := range rows {
		refs[i] = c.Ref()
	}
	return refs
}

func (e *env) wantOrder(what string, got, want []sumu.ConnectionRef) {
	e.Helper()
	if err := sameRefs(got, want); err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

var resumeCases = []testCase{
	{"A scan resumes behind any row", func(e *env) {
		rows := e.table()
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		order := e.order(sumu.Segment{})
		for i, ref := range order {
			e.wantOrder("after "+name(ref), e.order(sumu.Segment{After: ref}), order[i+1:])
		}
	}},

	{"A scan of a segment resumes behind any row", func(e *env) {
		rows := e.table()
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		for i := range 3 {
			order := e.order(sumu.Segment{Index: i, Count: 3})
			for j, ref := range order {
				seg := sumu.Segment{Index: i, Count: 3, After: ref}
				e.wantOrder("after "+name(ref), e.order(seg), order[j+1:])
			}
		}
	}},

	{"A scan resumes behind a row that does not exist any more", func(e *env) {
		rows := e.table()
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		order := e.order(sumu.Segment{})
		for i, ref := range order {
			if err := e.store.Delete(e.ctx, ref); err != nil {
				e.Fatalf("Delete: %v", err)
			}
			e.eventually(func() error {
				return sameRefs(e.order(sumu.Segment{After: ref}), order[i+1:])
			})
			// The rows before must be there: a scan that begins anew is seen.
			e.put(e.conn(ref.UserID, ref.ConnectionID))
		}
		for _, ref := range order {
			if err := e.store.Delete(e.ctx, ref); err != nil {
				e.Fatalf("Delete: %v", err)
			}
		}
		e.wantAll(sumu.Segment{}, nil)
		for _, ref := range order {
			e.wantOrder("after "+name(ref), e.order(sumu.Segment{After: ref}), nil)
		}
	}},

	{"A scan resumes behind a row that has expired", func(e *env) {
		rows := e.table()
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		order := e.order(sumu.Segment{})
		for i, ref := range order {
			e.put(e.expired(ref.UserID, ref.ConnectionID))
			e.eventually(func() error {
				return sameRefs(e.order(sumu.Segment{After: ref}), order[i+1:])
			})
			e.put(e.conn(ref.UserID, ref.ConnectionID))
		}
	}},

	{"Stopping and resuming again and again yields every row exactly once", func(e *env) {
		rows := e.table()
		e.put(e.expiredTable()...)
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		var got []sumu.Connection
		for _, n := range []int{1, 3} {
			got = got[:0]
			for i := range n {
				seg := sumu.Segment{Index: i, Count: n}
				for step := 0; len(got) <= len(rows); step++ {
					part := e.some(seg, 1+step%5)
					if len(part) == 0 {
						break
					}
					got = append(got, part...)
					seg.After = part[len(part)-1].Ref()
				}
			}
			if err := sameRows(got, rows); err != nil {
				e.Errorf("%d segments: %v", n, err)
			}
		}
	}},
}

// some returns up to n rows of a scan and then leaves the loop.
func (e *env) some(seg sumu.Segment, n int) []sumu.Connection {
	e.Helper()
	var rows []sumu.Connection
	for c, err := range e.store.All(e.ctx, seg) {
		if err != nil {
			e.Fatalf("All: %v", err)
		}
		rows = append(rows, c)
		if len(rows) == n {
			break
		}
	}
	return rows
}
