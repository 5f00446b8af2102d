package memstore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// The hashes of a store are those of its process: a cursor of another, in a
// message that a queue has kept, may be of any segment.
func TestCursorOfAnotherSegmentIsInvalid(t *testing.T) {
	s := new(memstore.Store)
	const segments = 3
	for i := range 30 {
		c := sumu.Connection{UserID: fmt.Sprint("u", i), ID: "c"}
		if err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	own := make(map[sumu.ConnectionRef]int)
	for i := range segments {
		for c := range s.All(t.Context(), sumu.Segment{Index: i, Count: segments}) {
			own[c.Ref()] = i
		}
	}
	for ref, segment := range own {
		for i := range segments {
			seg := sumu.Segment{Index: i, Count: segments, After: ref}
			_, all := collect(s.All(t.Context(), seg))
			_, rows := collect(s.PresenceRows(t.Context(), seg))
			for _, err := range []error{all, rows} {
				if i != segment && !errors.Is(err, sumu.ErrInvalid) || i == segment && err != nil {
					t.Fatalf("segment %d behind a row of segment %d: %v", i, segment, err)
				}
			}
		}
	}
}

func collect[R any](seq func(func(R, error) bool)) (rows []R, err error) {
	for r, err := range seq {
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}
