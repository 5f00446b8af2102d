package storetest

import (
	"context"
	"iter"

	"github.com/sumu-live/sumu"
)

var contextCases = []testCase{
	{"A call with a cancelled context fails with its error and writes nothing", func(e *env) {
		c, other := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(c)
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		e.wantKind("Put", e.store.Put(ctx, other), context.Canceled)
		_, err := e.store.Get(ctx, c.Ref())
		e.wantKind("Get", err, context.Canceled)
		e.wantKind("Delete", e.store.Delete(ctx, c.Ref()), context.Canceled)
		removed, err := e.store.Prune(ctx, c.Ref(), e.f.Now())
		e.wantKind("Prune", err, context.Canceled)
		if removed {
			e.Errorf("Prune reports a removal")
		}
		_, err = e.store.HasLive(ctx, "u1")
		e.wantKind("HasLive", err, context.Canceled)
		if e.f.Touch {
			err := power[sumu.Toucher](e).Touch(ctx, c.Ref(), c.DeleteAt.Add(1))
			e.wantKind("Touch", err, context.Canceled)
		}
		if e.f.Sweep {
			e.put(e.expired("u2", "c1"))
			_, err := power[sumu.Sweeper](e).SweepExpired(ctx, 0)
			e.wantKind("SweepExpired", err, context.Canceled)
		}
		e.wantAll(sumu.Segment{}, []sumu.Connection{c})
	}},

	{"A presence call with a cancelled context fails with its error and writes nothing", func(e *env) {
		if !e.f.Presence {
			return
		}
		p := e.presence()
		row := e.presenceRow("u1", 1)
		e.savePresence(row)
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		_, err := p.Presence(ctx, "u1")
		e.wantKind("Presence", err, context.Canceled)
		e.wantKind("SavePresence", p.SavePresence(ctx, e.presenceRow("u1", 2)), context.Canceled)
		e.wantKind("MarkAnnounced", p.MarkAnnounced(ctx, "u1", row.Version), context.Canceled)
		e.wantOneError("PresenceRows", count(p.PresenceRows(ctx, sumu.Segment{})), context.Canceled)
		e.wantPresence(row)
	}},

	{"An iterator of a cancelled context yields its error and nothing more", func(e *env) {
		e.put(e.conn("u1", "c1"), e.conn("u1", "c2"))
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		e.wantOneError("ByUser", count(e.store.ByUser(ctx, "u1")), context.Canceled)
		e.wantOneError("All", count(e.store.All(ctx, sumu.Segment{})), context.Canceled)
		e.wantOneError("All of a segment", count(e.store.All(ctx, sumu.Segment{Index: 1, Count: 3})), context.Canceled)
	}},

	{"An iterator that is cut short says so", func(e *env) {
		rows := e.crowd("u1", e.f.crowd)
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		e.wantByUser("u1", rows...)
		for what, scan := range map[string]func(context.Context) iter.Seq2[sumu.Connection, error]{
			"All":    func(ctx context.Context) iter.Seq2[sumu.Connection, error] { return e.store.All(ctx, sumu.Segment{}) },
			"ByUser": func(ctx context.Context) iter.Seq2[sumu.Connection, error] { return e.store.ByUser(ctx, "u1") },
		} {
			ctx, cancel := context.WithCancel(e.ctx)
			seen := 0
			var errs []error
			for _, err := range scan(ctx) {
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if len(errs) > 0 {
					e.Errorf("%s yields a row after an error", what)
				}
				if seen++; seen == 10 {
					cancel()
				}
			}
			cancel()
			// A page that was read already may still be yielded.
			if seen < len(rows) || len(errs) > 0 {
				e.wantOneError(what+" that is cancelled", outcome{errs: errs}, context.Canceled)
			}
		}
	}},
}
