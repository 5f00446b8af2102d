package storetest

import (
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

var recordExpiryCases = []testCase{
	{"LoadRecord of an expired record is as of an absent one", func(e *env) {
		r := e.expiredRecord("k1", 1)
		e.saveRecord(r)
		e.wantNoRecord(r)
	}},

	{"SaveRecord over an expired record begins with Rev 1", func(e *env) {
		e.saveRecord(e.record("k1", 1))
		e.saveRecord(e.expiredRecord("k1", 2))
		for _, rev := range []int64{2, 3, 4} {
			e.saveConflict(e.record("k1", rev))
			e.wantNoRecord(e.record("k1", rev))
		}
		r := e.record("k1", 1)
		e.saveRecord(r)
		e.wantRecord(r)
	}},

	{"SaveRecord with a time that has passed makes a record expire", func(e *env) {
		r := e.record("k1", 1)
		e.saveRecord(r)
		e.saveRecord(e.expiredRecord("k1", 2))
		e.wantNoRecord(r)
	}},

	{"DeleteRecord of an expired record is ErrConflict", func(e *env) {
		r := e.expiredRecord("k1", 1)
		e.saveRecord(r)
		e.deleteConflict(r)
		e.wantNoRecord(r)
	}},

	{"A sweep leaves live records alone and brings no expired one back", func(e *env) {
		if !e.f.Sweep {
			return
		}
		// Whether an expired record counts as one that was removed is open: a
		// driver may have it removed by its table.
		var live []sumu.Record
		for i := range 100 {
			r := e.record(fmt.Sprint("k", i), 1)
			if i%2 == 0 {
				r = e.expiredRecord(r.Key, 1)
			} else {
				live = append(live, r)
			}
			e.saveRecord(r)
		}
		for _, limit := range []int{1, 0} {
			e.settle()
			e.sweep(limit)
			for _, r := range live {
				e.wantRecord(r)
			}
			for i := range 50 {
				e.wantNoRecord(e.record(fmt.Sprint("k", 2*i), 1))
			}
		}
		r := e.record("k0", 1)
		e.saveRecord(r)
		e.wantRecord(r)
	}},
}

var advanceRecordCases = []testCase{
	{"A record is absent from its DeleteAt on", func(e *env) {
		at := e.f.Now().Truncate(time.Second).Add(time.Hour)
		var records []sumu.Record
		for i := range 3 {
			r := e.record(fmt.Sprint("k", i), 1)
			r.DeleteAt = at
			records = append(records, r)
		}
		e.saveRecord(records...)
		e.f.Advance(at.Add(-time.Minute).Sub(e.f.Now()))
		for _, r := range records {
			e.wantRecord(r)
		}
		e.f.Advance(at.Sub(e.f.Now()))
		for _, r := range records {
			e.wantNoRecord(r)
		}
		e.saveConflict(e.record("k0", 2))
		e.deleteConflict(records[1])
		e.saveRecord(e.record("k0", 1))
		e.wantRecord(e.record("k0", 1))
	}},

	{"A record that was saved again lives until its new DeleteAt, and no longer", func(e *env) {
		now := e.f.Now().Truncate(time.Second)
		longer, shorter := e.record("longer", 1), e.record("shorter", 1)
		longer.DeleteAt, shorter.DeleteAt = now.Add(time.Hour), now.Add(3*time.Hour)
		e.saveRecord(longer, shorter)
		longer.Rev, shorter.Rev = 2, 2
		longer.DeleteAt, shorter.DeleteAt = now.Add(3*time.Hour), now.Add(time.Hour)
		e.saveRecord(longer, shorter)
		e.f.Advance(2 * time.Hour)
		if e.f.Sweep {
			e.settle()
			e.sweep(0)
		}
		e.wantRecord(longer)
		e.wantNoRecord(shorter)
		e.f.Advance(time.Hour)
		e.wantNoRecord(longer)
	}},
}
