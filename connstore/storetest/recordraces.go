package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/sumu-live/sumu"
)

// winners calls f for 0 to n-1 at the same time and returns who of them was
// told nil. It fails unless the others are told kind.
func (e *env) winners(n int, what string, kind error, f func(i int) error) (won []int) {
	e.Helper()
	var (
		wg   sync.WaitGroup
		errs = make([]error, n)
	)
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for i, err := range errs {
		if err == nil {
			won = append(won, i)
		} else {
			e.wantKind(what, err, kind)
		}
	}
	return won
}

// wantOneSaver sets 16 that save the same Rev against each other, and fails
// unless one wins and its record stays.
func (e *env) wantOneSaver(key string, rev int64) {
	e.Helper()
	record := func(i int) sumu.Record {
		r := e.record(key, rev)
		r.Value = fmt.Append(nil, i)
		return r
	}
	won := e.winners(16, "SaveRecord", sumu.ErrConflict, func(i int) error {
		return e.state().SaveRecord(e.ctx, record(i))
	})
	if len(won) != 1 {
		e.Fatalf("%d of 16 calls with Rev %d win", len(won), rev)
	}
	e.wantRecord(record(won[0]))
}

var recordRaceCases = []testCase{
	{"Of many that save the same Rev of a record exactly one wins", func(e *env) {
		for rev := int64(1); rev <= 20; rev++ {
			e.wantOneSaver("k1", rev)
		}
	}},

	{"Of many that save over an expired record exactly one wins", func(e *env) {
		for i := range 20 {
			key := fmt.Sprint("k", i)
			e.saveRecord(e.record(key, 1))
			e.saveRecord(e.expiredRecord(key, 2))
			e.wantOneSaver(key, 1)
		}
	}},

	{"Of many that delete a record exactly one removes it", func(e *env) {
		for i := range 20 {
			r := e.record(fmt.Sprint("k", i), 1)
			e.saveRecord(r)
			won := e.winners(16, "DeleteRecord", sumu.ErrConflict, func(int) error {
				return e.state().DeleteRecord(e.ctx, r.Kind, r.Key, r.Rev)
			})
			if len(won) != 1 {
				e.Errorf("%d of 16 calls remove the record", len(won))
			}
			e.wantNoRecord(r)
		}
	}},

	{"Of a save and a delete of one Rev exactly one wins", func(e *env) {
		for round := range e.f.rounds {
			r := e.record(fmt.Sprint("k", round), 1)
			next := e.record(r.Key, 2)
			e.saveRecord(r)
			var saved, deleted error
			race(round, func() {
				deleted = e.state().DeleteRecord(e.ctx, r.Kind, r.Key, r.Rev)
			}, func() {
				saved = e.state().SaveRecord(e.ctx, next)
			})
			switch {
			case saved == nil && errors.Is(deleted, sumu.ErrConflict):
				e.wantRecord(next)
			case deleted == nil && errors.Is(saved, sumu.ErrConflict):
				e.wantNoRecord(r)
			default:
				e.Fatalf("SaveRecord: %v; DeleteRecord: %v; want that one of them is ErrConflict", saved, deleted)
			}
		}
	}},
}
