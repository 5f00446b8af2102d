package presence

import (
	"os"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
)

// TestExpiryByTheTable: nobody sweeps, and the table itself removes what has
// expired. Its removal is a change like any other.
func TestExpiryByTheTable(t *testing.T) {
	if os.Getenv("SUMU_SLOW") != "1" {
		t.Skip("takes minutes; run it with: make test-slow")
	}
	w := newWorld(t, components.DynamoDBLocal(t))
	w.watch("a")
	for user, life := range map[string]time.Duration{"ann": 20 * time.Second, "bob": time.Hour} {
		err := w.store.Put(t.Context(), sumu.Connection{UserID: user, ID: "c", DeleteAt: time.Now().Add(life)})
		if err != nil {
			t.Fatal(err)
		}
		w.until(user, "+")
	}
	w.untilWithin(15*time.Minute, "ann", "+-")
	w.want("bob", "+")
}
