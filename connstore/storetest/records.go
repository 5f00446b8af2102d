package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) state() sumu.StateStore { return power[sumu.StateStore](e) }

// record returns a live record with every field set.
func (e *env) record(key string, rev int64) sumu.Record {
	return sumu.Record{
		Kind:     "ticket",
		Key:      key,
		Value:    fmt.Appendf(nil, "value %d of %s", rev, key),
		Rev:      rev,
		DeleteAt: e.f.Now().Add(48 * time.Hour).Truncate(time.Second),
	}
}

// expiredRecord returns a record that has expired.
func (e *env) expiredRecord(key string, rev int64) sumu.Record {
	r := e.record(key, rev)
	r.DeleteAt = e.f.Now().Add(-time.Hour).Truncate(time.Second)
	return r
}

// saveRecord writes records, many at a time.
func (e *env) saveRecord(records ...sumu.Record) {
	e.Helper()
	s := e.state()
	if err := parallel(len(records), func(i int) error { return s.SaveRecord(e.ctx, records[i]) }); err != nil {
		e.Fatalf("SaveRecord: %v", err)
	}
}

func (e *env) saveConflict(r sumu.Record) {
	e.Helper()
	e.wantKind(fmt.Sprintf("SaveRecord of Rev %d", r.Rev), e.state().SaveRecord(e.ctx, r), sumu.ErrConflict)
}

func (e *env) deleteRecord(r sumu.Record) {
	e.Helper()
	if err := e.state().DeleteRecord(e.ctx, r.Kind, r.Key, r.Rev); err != nil {
		e.Fatalf("DeleteRecord of Rev %d: %v", r.Rev, err)
	}
}

func (e *env) deleteConflict(r sumu.Record) {
	e.Helper()
	err := e.state().DeleteRecord(e.ctx, r.Kind, r.Key, r.Rev)
	e.wantKind(fmt.Sprintf("DeleteRecord of Rev %d", r.Rev), err, sumu.ErrConflict)
}

func (e *env) loadRecord(kind, key string) sumu.Record {
	e.Helper()
	r, err := e.state().LoadRecord(e.ctx, kind, key)
	if err != nil {
		e.Fatalf("LoadRecord of %q/%q: %v", short(kind), short(key), err)
	}
	return r
}

func (e *env) wantRecord(want sumu.Record) {
	e.Helper()
	if diff := recordDifference(e.loadRecord(want.Kind, want.Key), want); diff != "" {
		e.Errorf("LoadRecord of %q/%q: %s", short(want.Kind), short(want.Key), diff)
	}
}

// wantNoRecord fails unless LoadRecord finds nothing under the name of r.
func (e *env) wantNoRecord(r sumu.Record) {
	e.Helper()
	e.wantRecord(sumu.Record{Kind: r.Kind, Key: r.Key})
}

// recordDifference says how got differs from want. An empty value and a nil one
// are the same.
func recordDifference(got, want sumu.Record) string {
	switch {
	case got.Kind != want.Kind || got.Key != want.Key:
		return fmt.Sprintf("is %q/%q", short(got.Kind), short(got.Key))
	case got.Rev != want.Rev:
		return fmt.Sprintf("Rev is %d, want %d", got.Rev, want.Rev)
	case !bytes.Equal(got.Value, want.Value):
		return fmt.Sprintf("Value is %q, want %q", short(string(got.Value)), short(string(want.Value)))
	case !sameTime(got.DeleteAt, want.DeleteAt, time.Time.Unix):
		return fmt.Sprintf("DeleteAt is %v, want %v", got.DeleteAt, want.DeleteAt)
	}
	return ""
}

var recordCases = []testCase{
	{"LoadRecord without a record returns one with its Kind and Key and Rev 0", func(e *env) {
		e.wantNoRecord(e.record("k1", 1))
		e.saveRecord(e.record("k2", 1))
		e.wantNoRecord(e.record("k1", 1))
		e.wantNoRecord(sumu.Record{Kind: "k2", Key: "ticket"})
	}},

	{"LoadRecord returns the record that SaveRecord wrote", func(e *env) {
		r := e.record("k1", 1)
		e.saveRecord(r)
		e.wantRecord(r)
	}},

	{"SaveRecord writes the record whole", func(e *env) {
		e.saveRecord(e.record("k1", 1))
		r := e.record("k1", 2)
		r.Value, r.DeleteAt = nil, r.DeleteAt.Add(-time.Hour)
		e.saveRecord(r)
		e.wantRecord(r)
		r = e.record("k1", 3)
		e.saveRecord(r)
		e.wantRecord(r)
	}},

	{"SaveRecord is ErrConflict unless the stored Rev is the one before", func(e *env) {
		for _, rev := range []int64{2, 3, 1 << 40} {
			e.saveConflict(e.record("k1", rev))
			e.wantNoRecord(e.record("k1", rev))
		}
		for rev := int64(1); rev <= 3; rev++ {
			r := e.record("k1", rev)
			e.saveRecord(r)
			for _, wrong := range []int64{1, rev, rev + 2, rev + 3} {
				other := e.record("k1", wrong)
				other.Value = []byte("of the loser")
				e.saveConflict(other)
				e.wantRecord(r)
			}
		}
	}},

	{"DeleteRecord removes the record that has the Rev, and no other", func(e *env) {
		for rev := range int64(3) {
			e.saveRecord(e.record("k1", rev+1))
		}
		other := e.record("k2", 1)
		e.saveRecord(other)
		r := e.record("k1", 3)
		e.deleteRecord(r)
		e.wantNoRecord(r)
		e.wantRecord(other)
	}},

	{"DeleteRecord is ErrConflict unless the record has the Rev", func(e *env) {
		for _, rev := range []int64{-1, 0, 1} {
			e.deleteConflict(e.record("k1", rev))
		}
		e.saveRecord(e.record("k1", 1))
		r := e.record("k1", 2)
		e.saveRecord(r)
		for _, rev := range []int64{-2, -1, 0, 1, 3} {
			e.deleteConflict(e.record("k1", rev))
			e.wantRecord(r)
		}
		e.deleteRecord(r)
		e.deleteConflict(r)
	}},

	{"A record that was deleted begins with Rev 1 again", func(e *env) {
		for range 3 {
			r := e.record("k1", 1)
			e.saveRecord(r)
			e.wantRecord(r)
			e.deleteRecord(r)
			e.wantNoRecord(r)
			e.saveConflict(e.record("k1", 2))
		}
	}},

	{"A record's value is any bytes, none to 64 KB of them", func(e *env) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for i, value := range [][]byte{
			nil,
			{},
			{0},
			[]byte("\xff\xfe invalid UTF-8"), []byte(`{"json": null}`), all,
			bytes.Repeat(all, sumu.MaxRecordValue/len(all)),
			[]byte(strings.Repeat("\xff", sumu.MaxRecordValue)),
		} {
			r := e.record(fmt.Sprint("k", i), 1)
			r.Value = value
			e.saveRecord(r)
			e.wantRecord(r)
		}
	}},

	{"A value that the caller changes afterwards stays as it was saved", func(e *env) {
		r := e.record("k1", 1)
		given := bytes.Clone(r.Value)
		saved := r
		saved.Value = given
		e.saveRecord(saved)
		clear(given)
		e.wantRecord(r)
		clear(e.loadRecord(r.Kind, r.Key).Value)
		e.wantRecord(r)
	}},

	{"Kinds of records are kept apart", func(e *env) {
		var records []sumu.Record
		for i, kind := range []string{"ticket", "Ticket", "ticket2", "t", "revoked", "k1", strings.Repeat("k", 64)} {
			r := e.record("k1", 1)
			r.Kind, r.Value = kind, fmt.Append(nil, i)
			records = append(records, r)
		}
		e.saveRecord(records...)
		for _, r := range records {
			e.wantRecord(r)
		}
		for i, r := range records {
			e.deleteRecord(r)
			e.wantNoRecord(r)
			for _, left := range records[i+1:] {
				e.wantRecord(left)
			}
		}
	}},

	{"What is joined of kind and key is told apart", func(e *env) {
		var records []sumu.Record
		for _, joint := range []string{":", "#", "/", "", "|", "_", "-", " ", "\x00"} {
			for _, name := range [][2]string{{"a", "b" + joint + "c"}, {"a" + joint + "b", "c"}} {
				r := e.record(name[1], 1)
				r.Kind, r.Value = name[0], []byte(name[0]+" and "+name[1])
				records = append(records, r)
			}
		}
		e.saveRecord(records...)
		for _, r := range records {
			e.wantRecord(r)
		}
	}},

	{"Keys of records may hold any characters, and be as long as allowed", func(e *env) {
		var records []sumu.Record
		for _, key := range append(oddIDs, strings.Repeat("k", sumu.MaxUserID), strings.Repeat("ü", sumu.MaxUserID/2)) {
			records = append(records, e.record(key, 1))
		}
		e.saveRecord(records...)
		for _, r := range records {
			e.wantRecord(r)
		}
		for _, r := range records {
			e.deleteRecord(r)
			e.wantNoRecord(r)
		}
	}},

	{"Records, connections and presence rows do not meet", func(e *env) {
		c := e.conn("u1", "ticket")
		r := e.record("u1", 1)
		e.saveRecord(r)
		e.wantLive("u1", false)
		e.wantByUser("u1")
		e.wantAll(sumu.Segment{}, nil)
		e.put(c)
		e.wantRecord(r)
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		e.wantRecord(r)
		if e.f.Presence {
			e.wantPresence(noPresence("u1"))
			e.wantPresenceRows(sumu.Segment{}, nil)
			e.savePresence(e.presenceRow("u1", 1))
			e.deleteRecord(r)
			e.wantPresence(e.presenceRow("u1", 1))
		}
	}},
}
