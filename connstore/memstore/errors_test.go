package memstore_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// first is the first error of an iterator.
func first[R any](seq iter.Seq2[R, error]) error {
	for _, err := range seq {
		return err
	}
	return nil
}

// Errors of this module name the operation, whatever the kind.
func TestErrorsAreTyped(t *testing.T) {
	s, ref := new(memstore.Store), sumu.ConnectionRef{UserID: "ann", ConnectionID: "c1"}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, get := s.Get(t.Context(), ref)
	_, capped := s.PutCapped(t.Context(), sumu.Connection{UserID: "ann", ID: "c1"}, 0, false)
	_, hasLive := s.HasLive(cancelled, "ann")
	for name, tt := range map[string]struct{ err, kind error }{
		"Put":          {s.Put(t.Context(), sumu.Connection{}), sumu.ErrInvalid},
		"Get":          {get, sumu.ErrGone},
		"ByUser":       {first(s.ByUser(t.Context(), "")), sumu.ErrInvalid},
		"All":          {first(s.All(t.Context(), sumu.Segment{Index: 1})), sumu.ErrInvalid},
		"HasLive":      {hasLive, context.Canceled},
		"PutCapped":    {capped, sumu.ErrInvalid},
		"SavePresence": {s.SavePresence(t.Context(), sumu.PresenceRow{UserID: "ann", Seq: 7}), sumu.ErrConflict},
		"DeleteRecord": {s.DeleteRecord(t.Context(), "ticket", "k", 1), sumu.ErrConflict},
		"Members":      {first(s.Members(t.Context(), "room", "?")), sumu.ErrInvalid},
		"Join":         {s.Join(t.Context(), sumu.Connection{UserID: "ann", ID: "c1"}, "room", 0), sumu.ErrGone},
	} {
		var typed *sumu.Error
		if !errors.Is(tt.err, tt.kind) || !errors.As(tt.err, &typed) {
			t.Errorf("%s: error is %v, want a *sumu.Error that is %v", name, tt.err, tt.kind)
		}
	}
}
