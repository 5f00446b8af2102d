package dynamostore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// What each operation may cost is fixed by the design: in tenths of a unit.
func TestCost(t *testing.T) { overAll(t, testCost) }

func testCost(t *testing.T, db database) {
	ctx := t.Context()
	d := &double{next: db.client}
	s, err := dynamostore.NewWithState(d, db.named)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	conn := func(user, id string) sumu.Connection {
		return sumu.Connection{
			UserID: user, ID: id, Endpoint: "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/prod",
			ConnectedAt: now, DeleteAt: now.Add(2 * time.Hour), AuthExpiresAt: now.Add(time.Hour),
		}
	}
	read := func(user string) func() error {
		return func() error {
			for _, err := range s.ByUser(ctx, user) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	save := func(row sumu.PresenceRow) func() error {
		return func() error { // As presence evaluates.
			if _, err := s.Presence(ctx, row.UserID); err != nil {
				return err
			}
			if _, err := s.HasLive(ctx, row.UserID); err != nil {
				return err
			}
			if err := s.SavePresence(ctx, row); err != nil || row.Announced == row.Version {
				return err
			}
			return s.MarkAnnounced(ctx, row.UserID, row.Version)
		}
	}
	putCapped := func(c sumu.Connection, most int) func() error {
		return func() error { _, err := s.PutCapped(ctx, c, most, true); return err }
	}
	ann := conn("1f0c9a52-7c1e-4d63-9f2e-0d5b3a7e6c11", "L0SM9cOFvHcCIhw=")
	for i := range 10 {
		if err := s.Put(ctx, conn(ann.UserID, fmt.Sprint("other-", i))); err != nil {
			t.Fatal(err)
		}
	}
	flip := sumu.PresenceRow{UserID: ann.UserID, Status: sumu.Online, Version: 1, At: now, Seq: 1}
	same := flip
	same.Announced, same.Seq = 1, 2
	for _, tt := range []struct {
		what          string
		call          func() error
		reads, writes uint64
	}{
		{"connect", func() error { return s.Put(ctx, ann) }, 0, 10},
		{"get", func() error { _, err := s.Get(ctx, ann.Ref()); return err }, 10, 0},
		{"notify one user", read(ann.UserID), 10, 0},
		{"notify a user who is away", read("nobody"), 10, 0},
		{"renew", func() error { return s.Touch(ctx, ann.Ref(), now.Add(3*time.Hour)) }, 0, 10},
		{"presence, a flip", save(flip), 20, 20},
		{"presence, nothing changes", save(same), 20, 10},
		{"connect, capped", putCapped(conn(ann.UserID, "capped"), 20), 20, 40},
		{"connect, capped, one evicted", putCapped(conn(ann.UserID, "capped-2"), 12), 20, 60},
		{"disconnect", func() error { return s.Delete(ctx, ann.Ref()) }, 0, 10},
		{"disconnect twice", func() error { return s.Delete(ctx, ann.Ref()) }, 0, 10},
	} {
		if reads, writes := d.costs(t, tt.call); reads > tt.reads || writes > tt.writes {
			t.Errorf("%s costs %.1f RCU and %.1f WCU, want at most %.1f and %.1f", tt.what,
				float64(reads)/10, float64(writes)/10, float64(tt.reads)/10, float64(tt.writes)/10)
		}
	}
}
