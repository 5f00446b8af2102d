package sumu_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sumu-live/sumu"
)

// lookStore is an attachStore whose rows can be read, unless it fails.
type lookStore struct {
	attachStore
	getErr error
}

func (s *lookStore) Get(_ context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	if s.getErr != nil {
		return sumu.Connection{}, s.getErr
	}
	if c, ok := s.rows[ref]; ok {
		return c, nil
	}
	return sumu.Connection{}, &sumu.Error{Op: "get", Kind: sumu.ErrGone}
}

func TestForgetGone(t *testing.T) {
	live, dead := sumu.ConnectionRef{UserID: "ann", ConnectionID: "c1"}, sumu.ConnectionRef{UserID: "ann", ConnectionID: "c2"}
	s := new(lookStore)
	if err := s.Put(t.Context(), sumu.Connection{UserID: live.UserID, ID: live.ConnectionID}); err != nil {
		t.Fatal(err)
	}
	if gone, err := sumu.ForgetGone(t.Context(), s, live); gone || err != nil || len(s.forgot) != 0 {
		t.Errorf("a connection that lives: %v, %v, forgot %v", gone, err, s.forgot)
	}
	if gone, err := sumu.ForgetGone(t.Context(), s, dead); !gone || err != nil || len(s.forgot) != 1 || s.forgot[0] != dead {
		t.Errorf("one that does not: %v, %v, forgot %v", gone, err, s.forgot)
	}
	s.attachErr = &sumu.Error{Op: "table", Kind: sumu.ErrThrottled}
	if gone, err := sumu.ForgetGone(t.Context(), s, dead); !gone || !errors.Is(err, sumu.ErrThrottled) {
		t.Errorf("a store that fails to forget: %v, %v", gone, err)
	}
	// A row that could not be read may be there.
	s.forgot, s.getErr = nil, &sumu.Error{Op: "table", Kind: sumu.ErrUnavailable}
	if gone, err := sumu.ForgetGone(t.Context(), s, dead); gone || !errors.Is(err, sumu.ErrUnavailable) || len(s.forgot) != 0 {
		t.Errorf("a store that fails to look: %v, %v, forgot %v", gone, err, s.forgot)
	}
	if gone, err := sumu.ForgetGone(t.Context(), new(fakeStore), dead); gone || err != nil {
		t.Errorf("a store that keeps none: %v, %v", gone, err)
	}
}
