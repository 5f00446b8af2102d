package outbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

func TestSplitLeavesWhatFits(t *testing.T) {
	n := sumu.Notification{ID: "n1", Part: "r", Users: []string{"ann", "ann"}, Data: json.RawMessage(`{ "a": "<" }`)}
	pieces, err := outbox.Split(n, 1024)
	if err != nil || len(pieces) != 1 {
		t.Fatalf("got %d pieces, %v", len(pieces), err)
	}
	if want := `{"id":"n1","users":["ann","ann"],"part":"r","data":{ "a": "<" }}`; string(pieces[0].Body) != want {
		t.Errorf("got %s\nwant %s", pieces[0].Body, want)
	}
}

// Without an id all keys would be alike, and a FIFO would drop all but one.
func TestSplitMakesIDs(t *testing.T) {
	seen := make(map[string]bool)
	for range 10 {
		pieces, err := outbox.Split(sumu.Notification{Everyone: true, Data: json.RawMessage(`1`)}, 1024)
		if err != nil {
			t.Fatal(err)
		}
		seen[pieces[0].Key()] = true
	}
	if len(seen) != 10 || seen["/"] {
		t.Errorf("the keys are %v", seen)
	}
}

// Whatever is split, the pieces together mean what the whole meant.
func TestSplitKeepsTheMeaning(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := randomNotification(r)
		limit := 1024 + r.IntN(8000)
		pieces, err := outbox.Split(n, limit)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		again, err := outbox.Split(n, limit)
		if err != nil || !reflect.DeepEqual(pieces, again) {
			t.Fatalf("seed %d: split differently the second time, %v", seed, err)
		}
		checkPieces(t, fmt.Sprintf("seed %d", seed), n, limit, pieces)
	}
}

func checkPieces(t *testing.T, name string, n sumu.Notification, limit int, pieces []outbox.Piece) {
	t.Helper()
	keys := make(map[string]bool)
	users, channels, refs := make(map[string]int), make(map[string]int), make(map[sumu.ConnectionRef]int)
	for i, p := range pieces {
		if len(p.Body) > limit {
			t.Fatalf("%s: piece %d has %d bytes of %d", name, i, len(p.Body), limit)
		}
		got, err := sumu.ParseNotification(p.Body)
		if err != nil {
			t.Fatalf("%s: piece %d: %v", name, i, err)
		}
		if keys[got.Key()] || got.Key() != p.Key() {
			t.Fatalf("%s: piece %d has the key %q, twice or not its own", name, i, got.Key())
		}
		keys[got.Key()] = true
		for _, u := range got.Users {
			users[u]++
		}
		for _, c := range got.Channels {
			channels[c]++
		}
		for _, ref := range got.Connections {
			refs[ref]++
		}
		without := n.ExcludeChannels
		if i > 0 { // A member must not get it as a user once more.
			without = slices.Concat(n.ExcludeChannels, n.Channels)
		}
		if got.After != "" && len(n.Channels) == 0 && (i > 0 || len(got.Users) == 0 || got.Users[0] != n.Users[0]) {
			t.Fatalf("%s: piece %d begins at %q of a user it is not of", name, i, got.After)
		}
		if i == 0 && got.After != n.After {
			t.Fatalf("%s: after is %q, want %q", name, got.After, n.After)
		}
		if !bytes.Equal(got.Data, n.Data) || !slices.Equal(got.ExcludeUsers, n.ExcludeUsers) ||
			!slices.Equal(got.ExcludeConnections, n.ExcludeConnections) || !got.Deadline.Equal(n.Deadline) ||
			got.Attempt != n.Attempt || got.ID != n.ID || !slices.Equal(got.ExcludeChannels, without) {
			t.Fatalf("%s: piece %d does not repeat the rest", name, i)
		}
	}
	for _, u := range n.Users {
		if users[u] != 1 {
			t.Fatalf("%s: user %q is in %d pieces", name, u, users[u])
		}
		users[u] = 1
	}
	for _, c := range n.Channels {
		if channels[c] != 1 {
			t.Fatalf("%s: channel %q is in %d pieces", name, c, channels[c])
		}
	}
	for _, ref := range n.Connections {
		covered := users[ref.UserID] > 0 && (n.After == "" || len(n.Channels) > 0 || ref.UserID != n.Users[0])
		if want := 1; !covered && refs[ref] != want || covered && len(pieces) > 1 && refs[ref] > 0 {
			t.Fatalf("%s: connection %v is in %d pieces, its user in %d", name, ref, refs[ref], users[ref.UserID])
		}
	}
}

func randomNotification(r *rand.Rand) sumu.Notification {
	n := sumu.Notification{
		ID: "n1", Attempt: r.IntN(3), Part: strings.Repeat("r", r.IntN(28)),
		Data: json.RawMessage(`{"text":"` + strings.Repeat("x", r.IntN(200)) + `"}`),
	}
	if r.IntN(2) == 0 {
		n.Deadline = time.UnixMilli(1_800_000_000_123)
	}
	word := func(i int) string {
		return fmt.Sprintf("%d-%s", i, strings.Repeat([]string{"u", "é", "\"", "\uFFFE", "<", "\x01"}[r.IntN(6)], r.IntN(20)))
	}
	for i := range 1 + r.IntN(400) {
		n.Users = append(n.Users, word(i))
	}
	for i := range r.IntN(10) {
		n.Channels = append(n.Channels, fmt.Sprintf("room.%d%s", i, strings.Repeat("é", r.IntN(9))))
	}
	if r.IntN(3) == 0 {
		n.ExcludeChannels = []string{"muted"}
	}
	for i := range r.IntN(200) {
		ref := sumu.ConnectionRef{UserID: word(1000 + i), ConnectionID: fmt.Sprint("c", i)}
		if r.IntN(4) == 0 {
			ref.UserID = n.Users[r.IntN(len(n.Users))]
		}
		n.Connections = append(n.Connections, ref)
	}
	for i := range r.IntN(5) {
		n.ExcludeUsers = append(n.ExcludeUsers, word(2000+i))
		n.ExcludeConnections = append(n.ExcludeConnections, fmt.Sprint("x", i))
	}
	if r.IntN(3) == 0 {
		n.After = "c17"
	}
	return n
}

// Users of one letter fill messages to the last byte.
func TestSplitFillsExactly(t *testing.T) {
	n := sumu.Notification{ID: "n1", Data: json.RawMessage(`1`)}
	for r := 'a'; r <= 'z'; r++ {
		n.Users = append(n.Users, string(r))
	}
	for _, part := range []string{"", "r", strings.Repeat("r", 27)} {
		n.Part = part
		whole, err := outbox.Split(n, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		fewest := 2
		for limit := len(whole[0].Body) - 1; limit > 100; limit-- {
			pieces, err := outbox.Split(n, limit)
			if err != nil {
				t.Fatal(err)
			}
			checkPieces(t, fmt.Sprint("limit ", limit), n, limit, pieces)
			if len(pieces) < fewest {
				t.Errorf("%d pieces of %d bytes, but %d of one byte more", len(pieces), limit, fewest)
			}
			fewest = len(pieces)
		}
	}
}

// Parts that are too long to grow do not become each other's.
func TestLongPartsStayDistinct(t *testing.T) {
	seen := make(map[string]bool)
	for _, part := range []string{"", strings.Repeat("r", 26), strings.Repeat("r", 27), "c" + strings.Repeat("r", 26)} {
		n := sumu.Notification{ID: "n1", Part: part, Data: json.RawMessage(`1`)}
		for i := range 200 {
			n.Users = append(n.Users, fmt.Sprint("user", i))
		}
		pieces, err := outbox.Split(n, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pieces {
			if seen[p.Part] {
				t.Errorf("%q comes twice", p.Part)
			}
			seen[p.Part] = true
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	big := json.RawMessage(`"` + strings.Repeat("x", 2000) + `"`)
	for name, tt := range map[string]struct {
		n    sumu.Notification
		want error
	}{
		"everyone, too much data":     {sumu.Notification{Everyone: true, Data: big}, sumu.ErrTooLarge},
		"one user, too much data":     {sumu.Notification{Users: []string{"ann"}, Data: big}, sumu.ErrTooLarge},
		"many users, too much data":   {sumu.Notification{Users: []string{"ann", "bob"}, Data: big}, sumu.ErrTooLarge},
		"excluded too many":           {sumu.Notification{Everyone: true, ExcludeUsers: []string{string(big[:1500])}, Data: json.RawMessage(`1`)}, sumu.ErrTooLarge},
		"an event that is too large":  {sumu.Notification{Event: &sumu.Event{Type: "t", Payload: big}}, sumu.ErrTooLarge},
		"a user that leaves no room":  {sumu.Notification{Users: []string{"ann", strings.Repeat("u", 1500)}, Data: json.RawMessage(`1`)}, sumu.ErrTooLarge},
		"no targets":                  {sumu.Notification{Data: json.RawMessage(`1`)}, sumu.ErrInvalid},
		"data over what a client has": {sumu.Notification{Everyone: true, Data: bytes.Repeat([]byte("1"), sumu.MaxPayload+1)}, sumu.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			pieces, err := outbox.Split(tt.n, 1024)
			if !errors.Is(err, tt.want) || pieces != nil {
				t.Errorf("got %d pieces, %v", len(pieces), err)
			}
			if sumu.Retryable(err) {
				t.Error("it counts as one that may succeed")
			}
		})
	}
}

// No piece of a piece, no remainder of a piece (pushers append "c", "r" and "s",
// from the second of a kind on with a number) and no piece of a remainder has
// the part of another.
func TestPartsAreDistinct(t *testing.T) {
	users := strings.Split(strings.Repeat("s,", 150), ",")
	for i := range users {
		users[i] += fmt.Sprint(i)
	}
	seen := make(map[string]string)
	var visit func(part, path string, depth int)
	visit = func(part, path string, depth int) {
		if other, twice := seen[part]; twice {
			t.Fatalf("%q is the part of %q and of %q", part, other, path)
		}
		seen[part] = path
		if depth == 3 {
			return
		}
		for _, letter := range []string{"c", "r", "s"} {
			for _, i := range []string{"", "1", "2", "10", "11"} {
				visit(part+letter+i, path+" "+letter+i, depth+1)
			}
		}
		pieces, err := outbox.Split(sumu.Notification{ID: "n", Part: part, Users: users, Data: json.RawMessage(`1`)}, 130)
		if err != nil || len(pieces) < 12 {
			t.Fatalf("%d pieces, %v", len(pieces), err)
		}
		for i, p := range pieces[:12] {
			visit(p.Part, fmt.Sprint(path, " p", i), depth+1)
		}
	}
	visit("", "root", 0)
}

// A queue refuses some characters that JSON may hold.
func TestBodiesAreWhatAQueueTakes(t *testing.T) {
	data := `"tab\t \ufffe is ` + "\uFFFE, \uFFFF, \u007f, \u0085, \U0001FFFE, \uFFFD" + ` and \\"`
	n := sumu.Notification{ID: "n1", Users: []string{"a\x01\x7f\uFFFF"}, Data: json.RawMessage(data)}
	pieces, err := outbox.Split(n, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range string(pieces[0].Body) {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			t.Errorf("the body holds %U", r)
		}
	}
	got, err := sumu.ParseNotification(pieces[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	var was, is string
	if err := errors.Join(json.Unmarshal(n.Data, &was), json.Unmarshal(got.Data, &is)); err != nil || was != is {
		t.Errorf("data means %q, was %q, %v", is, was, err)
	}
	if !slices.Equal(got.Users, n.Users) {
		t.Errorf("users: got %q", got.Users)
	}
}
