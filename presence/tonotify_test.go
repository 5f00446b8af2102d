package presence_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/sumutest"
)

func ExampleToNotify() {
	client := new(sumutest.Client) // It records; yours delivers.
	err := presence.ToNotify(client).PublishPresence(context.Background(), sumu.PresenceEvent{
		UserID: "ann", Status: sumu.Online, At: time.UnixMilli(1575929040500), Version: 7,
	})
	for _, n := range client.Sent() {
		text, _ := json.Marshal(n)
		fmt.Println(string(text))
	}
	fmt.Println(err)
	// Output:
	// {"id":"ann:7","everyone":true,"exclude_users":["ann"],"data":{"type":"presence","message":{"user_id":"ann","status":"ONLINE","timestamp":1575929040.500,"version":7,"id":"ann:7"}}}
	// <nil>
}

func ExampleSeveral() {
	to := func(name string) sumu.PresencePublisher {
		return sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
			fmt.Println(name, e.ID())
			return nil
		})
	}
	both := presence.Several(to("topic"), to("queue"))
	fmt.Println(both.PublishPresence(context.Background(), sumu.PresenceEvent{UserID: "ann", Version: 1}))
	// Output:
	// topic ann:1
	// queue ann:1
	// <nil>
}

// sent returns what is sent for an event: one notification, and a valid one.
func sent(t *testing.T, e sumu.PresenceEvent) sumu.Notification {
	t.Helper()
	client := new(sumutest.Client)
	if err := presence.ToNotify(client).PublishPresence(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	list := client.Sent()
	if len(list) != 1 {
		t.Fatalf("%d notifications were sent, want one", len(list))
	}
	return list[0]
}

func TestToNotifyIDs(t *testing.T) {
	seen := make(map[string]string)
	for _, user := range []string{
		"u", "a@b.example", "a:1", strings.Repeat("x", 80), strings.Repeat("x", 81), strings.Repeat("x", sumu.MaxUserID),
		"with space", "with\nbreak", "ümlaut", "\x00", "sha256.x", "sha256.",
	} {
		for _, version := range []int64{1, 2, math.MaxInt64} {
			e := sumu.PresenceEvent{UserID: user, Status: sumu.Online, At: time.Now(), Version: version}
			n := sent(t, e)
			if n.ID == "" {
				t.Errorf("user %.20q: the notification has no id", user)
			}
			if !n.Everyone || len(n.ExcludeUsers) != 1 || n.ExcludeUsers[0] != user {
				t.Errorf("user %.20q: everyone %v but %q", user, n.Everyone, n.ExcludeUsers)
			}
			if again := sent(t, e); again.ID != n.ID {
				t.Errorf("user %.20q: ids %q and %q of one event", user, n.ID, again.ID)
			}
			what := fmt.Sprintf("%q version %d", user, version)
			if other, taken := seen[n.ID]; taken {
				t.Errorf("%s and %s share the id %q", what, other, n.ID)
			}
			seen[n.ID] = what
		}
	}
	// A user who is called like the hash of another.
	hash, _, _ := strings.Cut(sent(t, sumu.PresenceEvent{UserID: "with space", Version: 1}).ID, ":")
	if id := sent(t, sumu.PresenceEvent{UserID: hash, Version: 1}).ID; id == hash+":1" {
		t.Errorf("user %q took the id of another: %q", hash, id)
	}
}

func TestToNotifyPassesErrors(t *testing.T) {
	client := new(sumutest.Client)
	client.FailNext(errDown)
	wantKind(t, presence.ToNotify(client).PublishPresence(t.Context(), sumu.PresenceEvent{UserID: "u"}), errDown, "")
	wantKind(t, presence.ToNotify(nil).PublishPresence(t.Context(), sumu.PresenceEvent{UserID: "u"}), sumu.ErrInvalid, "client")
}

func TestSeveralNeedsAll(t *testing.T) {
	e := sumu.PresenceEvent{UserID: "u", Status: sumu.Online, Version: 1}
	bad := &recorder{err: func(sumu.PresenceEvent) error { return errDown }}
	good := new(recorder)
	wantKind(t, presence.Several(bad, good).PublishPresence(t.Context(), e), errDown, "")
	wantEvents(t, good, "u:1 ONLINE") // Not held up by the other.
	bad.setErr(nil)
	if err := presence.Several(bad, good).PublishPresence(t.Context(), e); err != nil {
		t.Error(err)
	}
	wantEvents(t, good, "u:1 ONLINE", "u:1 ONLINE")
	wantKind(t, presence.Several().PublishPresence(t.Context(), e), sumu.ErrInvalid, "no publishers")
	wantKind(t, presence.Several(nil, good).PublishPresence(t.Context(), e), sumu.ErrInvalid, "publisher 0")
	wantEvents(t, good, "u:1 ONLINE", "u:1 ONLINE", "u:1 ONLINE")
}
