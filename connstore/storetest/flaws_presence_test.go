package storetest

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

type presenceRow = sumu.PresenceRow

// saved makes SavePresence be what change makes of it.
func saved(change func(h *hooked, ctx context.Context, row presenceRow) error) func(h *hooked) {
	return func(h *hooked) {
		h.savePresence = func(ctx context.Context, row presenceRow) error { return change(h, ctx, row) }
	}
}

// forced writes a row whatever is stored: it climbs to the Seq before.
func (h *hooked) forced(ctx context.Context, row presenceRow) error {
	old, err := h.Store.Presence(ctx, row.UserID)
	if err != nil {
		return err
	}
	for old.Seq < row.Seq-1 {
		old.Seq++
		if err := h.Store.SavePresence(ctx, old); err != nil {
			return err
		}
	}
	return h.Store.SavePresence(ctx, row)
}

// scannedPresence makes PresenceRows yield what change makes of the rows.
func scannedPresence(change func(seg sumu.Segment, rows []presenceRow) []presenceRow) func(h *hooked) {
	return func(h *hooked) {
		h.presenceRows = func(ctx context.Context, seg sumu.Segment) iter.Seq2[presenceRow, error] {
			return mapped(h.Store.PresenceRows(ctx, seg), func(rows []presenceRow) []presenceRow {
				return change(seg, rows)
			})
		}
	}
}

var presenceFlaws = []flaw{
	{"An unknown user has no status", func(h *hooked) {
		h.presence = func(ctx context.Context, user string) (presenceRow, error) {
			row, err := h.Store.Presence(ctx, user)
			if row.Seq == 0 {
				row.Status = ""
			}
			return row, err
		}
	}, "Presence of an unknown user is the zero row"},
	{"SavePresence forgets a field", saved(func(h *hooked, ctx context.Context, row presenceRow) error {
		row.AbsentSince = time.Time{}
		return h.Store.SavePresence(ctx, row)
	}), "Presence returns the row that SavePresence wrote"},
	{"SavePresence merges with the row that exists", saved(func(h *hooked, ctx context.Context, row presenceRow) error {
		if old, err := h.Store.Presence(ctx, row.UserID); err == nil && row.AbsentSince.IsZero() {
			row.AbsentSince = old.AbsentSince
		}
		return h.Store.SavePresence(ctx, row)
	}), "SavePresence writes the row whole"},
	{
		"SavePresence accepts any later Seq", saved((*hooked).forced),
		"SavePresence is ErrConflict unless the stored Seq is the one before",
	},
	{"SavePresence reports success to everybody", saved(func(h *hooked, ctx context.Context, row presenceRow) error {
		err := h.Store.SavePresence(ctx, row)
		if errors.Is(err, sumu.ErrConflict) {
			return nil
		}
		return err
	}), "Of many that save the same Seq exactly one wins"},
	{"MarkAnnounced counts as an evaluation", func(h *hooked) {
		h.markAnnounced = func(ctx context.Context, user string, version int64) error {
			if err := h.Store.MarkAnnounced(ctx, user, version); err != nil {
				return err
			}
			row, err := h.Store.Presence(ctx, user)
			if err != nil {
				return err
			}
			row.Seq++
			return h.Store.SavePresence(ctx, row)
		}
	}, "MarkAnnounced sets Announced and leaves Seq and all else alone"},
	{"MarkAnnounced marks any version", func(h *hooked) {
		h.markAnnounced = func(ctx context.Context, user string, version int64) error {
			row, err := h.Store.Presence(ctx, user)
			if err != nil || row.Seq == 0 {
				return h.Store.MarkAnnounced(ctx, user, version)
			}
			return h.Store.MarkAnnounced(ctx, user, row.Version)
		}
	}, "MarkAnnounced is ErrConflict unless the stored Version is the one"},
	{"MarkAnnounced writes an absent row", func(h *hooked) {
		h.markAnnounced = func(ctx context.Context, user string, version int64) error {
			err := h.Store.MarkAnnounced(ctx, user, version)
			if row, _ := h.Store.Presence(ctx, user); errors.Is(err, sumu.ErrConflict) && row.Seq == 0 {
				row.Seq, row.Announced = 1, version
				_ = h.Store.SavePresence(ctx, row)
			}
			return err
		}
	}, "MarkAnnounced without a row is ErrConflict and writes none"},
	{"Users of presence rows are trimmed", saved(func(h *hooked, ctx context.Context, row presenceRow) error {
		if user := strings.TrimSpace(row.UserID); user != "" {
			row.UserID = user
		}
		return h.Store.SavePresence(ctx, row)
	}), "Presence rows of users whose ids resemble each other are kept apart"},
	{"A presence row counts as a connection", saved(func(h *hooked, ctx context.Context, row presenceRow) error {
		_ = h.Store.Put(ctx, conn{UserID: row.UserID, ID: "presence"})
		return h.Store.SavePresence(ctx, row)
	}), "Connections and presence rows do not meet"},
	{"PresenceRows reads one page", scannedPresence(func(_ sumu.Segment, rows []presenceRow) []presenceRow {
		return rows[:min(len(rows), 250)]
	}), "PresenceRows yields every row exactly once"},
	{"Segments of presence rows overlap", func(h *hooked) {
		h.presenceRows = func(ctx context.Context, seg sumu.Segment) iter.Seq2[presenceRow, error] {
			if seg.Validate() == nil {
				seg = sumu.Segment{After: seg.After}
			}
			return h.Store.PresenceRows(ctx, seg)
		}
	}, "Segments of presence rows are disjoint and cover the table"},
	{"A resumed scan of presence rows skips a row", scannedPresence(func(seg sumu.Segment, rows []presenceRow) []presenceRow {
		if seg.After != (ref{}) && len(rows) > 0 {
			return rows[1:]
		}
		return rows
	}), "A scan of presence rows resumes behind any user"},
	{"PresenceRows holds a lock that SavePresence tries", func(h *hooked) {
		var busy sync.RWMutex
		h.presenceRows = func(ctx context.Context, seg sumu.Segment) iter.Seq2[presenceRow, error] {
			return func(yield func(presenceRow, error) bool) {
				busy.RLock()
				defer busy.RUnlock()
				h.Store.PresenceRows(ctx, seg)(yield)
			}
		}
		h.savePresence = func(ctx context.Context, row presenceRow) error {
			if row.Seq > 1 && !busy.TryLock() {
				return &sumu.Error{Op: "save presence", Kind: sumu.ErrUnavailable}
			} else if row.Seq > 1 {
				defer busy.Unlock()
			}
			return h.Store.SavePresence(ctx, row)
		}
	}, "The body of a loop over presence rows may save them"},
	{"Presence rows expire", func(h *hooked) {
		start := h.clock.now()
		h.presence = func(ctx context.Context, user string) (presenceRow, error) {
			if h.clock.now().After(start.Add(365 * 24 * time.Hour)) {
				return presenceRow{UserID: user, Status: sumu.Offline}, ctx.Err()
			}
			return h.Store.Presence(ctx, user)
		}
	}, "Presence rows do not expire"},
}
