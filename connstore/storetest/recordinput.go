package storetest

import (
	"context"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// recordInputCases hold a driver to what it refuses.
var recordInputCases = []testCase{
	{"A record that does not validate is refused", func(e *env) {
		for what, bad := range map[string]struct {
			change func(r *sumu.Record)
			kind   error
		}{
			"a value of 64 KB and a byte": {func(r *sumu.Record) {
				r.Value = make([]byte, sumu.MaxRecordValue+1)
			}, sumu.ErrTooLarge},
			"Rev 0":       {func(r *sumu.Record) { r.Rev = 0 }, sumu.ErrInvalid},
			"Rev -1":      {func(r *sumu.Record) { r.Rev = -1 }, sumu.ErrInvalid},
			"no DeleteAt": {func(r *sumu.Record) { r.DeleteAt = time.Time{} }, sumu.ErrInvalid},
		} {
			r := e.record("k1", 1)
			bad.change(&r)
			e.wantKind("SaveRecord with "+what, e.state().SaveRecord(e.ctx, r), bad.kind)
			e.wantNoRecord(r)
		}
	}},

	{"A record's name that does not validate is ErrInvalid", func(e *env) {
		for _, name := range [][2]string{
			{"", "k1"},
			{strings.Repeat("k", 65), "k1"},
			{strings.Repeat("ü", 33), "k1"},
			{"ticket", ""},
			{"ticket", strings.Repeat("k", sumu.MaxUserID+1)},
			{"ticket", "\xff"},
		} {
			r := e.record(name[1], 1)
			r.Kind = name[0]
			what := " of " + short(r.Kind) + "/" + short(r.Key)
			e.wantKind("SaveRecord"+what, e.state().SaveRecord(e.ctx, r), sumu.ErrInvalid)
			_, err := e.state().LoadRecord(e.ctx, r.Kind, r.Key)
			e.wantKind("LoadRecord"+what, err, sumu.ErrInvalid)
			e.wantKind("DeleteRecord"+what, e.state().DeleteRecord(e.ctx, r.Kind, r.Key, 1), sumu.ErrInvalid)
		}
	}},

	{"A record call with a cancelled context fails with its error and writes nothing", func(e *env) {
		r := e.record("k1", 1)
		e.saveRecord(r)
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		_, err := e.state().LoadRecord(ctx, r.Kind, r.Key)
		e.wantKind("LoadRecord", err, context.Canceled)
		e.wantKind("SaveRecord", e.state().SaveRecord(ctx, e.record("k1", 2)), context.Canceled)
		e.wantKind("DeleteRecord", e.state().DeleteRecord(ctx, r.Kind, r.Key, r.Rev), context.Canceled)
		e.wantRecord(r)
	}},
}
