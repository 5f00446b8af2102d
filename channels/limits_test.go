package channels_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
)

func TestMaxChannels(t *testing.T) {
	for _, tt := range []struct{ option, allowed int }{{0, 100}, {3, 3}, {-1, 150}} {
		w := newWorld(t, func(o *channels.Options) { o.MaxChannels, o.Open, o.JoinBurst = tt.option, true, 1000 })
		ann := w.connect("ann", "c1")
		refused := 0
		for i := range 150 {
			if code := w.code(ann, fmt.Sprintf(`{"action":"join","channel":"room.%d"}`, i)); code == "limit_exceeded" {
				refused++
			} else if code != "" {
				t.Fatalf("code %q", code)
			}
		}
		if got := len(w.channelsOf(ann)); got != tt.allowed || refused != 150-tt.allowed {
			t.Errorf("MaxChannels %d: in %d channels, %d joins refused", tt.option, got, refused)
		}
		if code := w.code(ann, `{"action":"join","channel":"room.0"}`); code != "" {
			t.Errorf("joining again at the limit: %q", code)
		}
		if tt.option < 0 {
			continue
		}
		w.say(ann, `{"action":"leave","channel":"room.0"}`)
		if code := w.code(ann, `{"action":"join","channel":"other"}`); code != "" {
			t.Errorf("joining after leaving one: %q", code)
		}
	}
}

func TestJoinRate(t *testing.T) {
	w := newWorld(t, func(o *channels.Options) { o.JoinRate, o.JoinBurst, o.Open = 2, 3, true })
	ann, bob := w.connect("ann", "c1"), w.connect("bob", "c2")
	var codes []string
	for i := range 4 {
		codes = append(codes, w.code(ann, fmt.Sprintf(`{"action":"join","channel":"room.%d"}`, i)))
	}
	if !slices.Equal(codes, []string{"", "", "", "rate_limited"}) {
		t.Errorf("codes are %q", codes)
	}
	if code := w.code(ann, `{"action":"leave","channel":"room.0"}`); code != "rate_limited" || len(w.channelsOf(ann)) != 3 {
		t.Errorf("leave: %q", code)
	}
	if code := w.code(bob, `{"action":"join","channel":"room.0"}`); code != "" {
		t.Errorf("another connection: %q", code)
	}
	if code := w.code(ann, `{"action":"sendmessage","channel":"room.0","message":1}`); code != "" {
		t.Errorf("a message is counted as a join: %q", code)
	}
	w.now = w.now.Add(time.Second)
	if code := w.code(ann, `{"action":"leave","channel":"room.0"}`); code != "" {
		t.Errorf("a second later: %q", code)
	}

	none := newWorld(t, func(o *channels.Options) { o.JoinRate, o.Open = -1, true })
	ann = none.connect("ann", "c1")
	for range 500 {
		if code := none.code(ann, `{"action":"join","channel":"room.0"}`); code != "" {
			t.Fatalf("without a limit: %q", code)
		}
	}
}

func TestDefault(t *testing.T) {
	w := newWorld(t, func(o *channels.Options) { o.Default = "lobby" })
	ann := w.connect("ann", "c1")
	if got := w.channelsOf(ann); !slices.Equal(got, []string{"lobby"}) {
		t.Errorf("channels are %q; want the default", got)
	}
	// By the option, and not by a grant: to send needs one.
	if code := w.code(ann, `{"action":"sendmessage","message":1}`); code != "forbidden" {
		t.Errorf("send: %q", code)
	}
	w.grants = sumu.Grants{{Pattern: "lobby", Verbs: []sumu.Verb{sumu.VerbPost}}}
	bob := w.connect("bob", "c2")
	if code := w.code(bob, `{"action":"sendmessage","message":1}`); code != "" || w.client.all[0].Channels[0] != "lobby" {
		t.Errorf("send: %q", code)
	}
	// A connection that could not join is refused, and leaves nothing.
	w.store.err = &sumu.Error{Op: "table", Kind: sumu.ErrUnavailable}
	_, err := w.app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c3", Query: map[string][]string{"user": {"cem"}}})
	if !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("connect: %v", err)
	}
	if live, _ := w.store.HasLive(t.Context(), "cem"); live {
		t.Error("its row is still there")
	}
}

// A fault of ours is never the client's, and is told without what is inside.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code string
	}{
		{&sumu.Error{Op: "secret table", Kind: sumu.ErrUnavailable}, "unavailable"},
		{&sumu.Error{Op: "secret table", Kind: sumu.ErrForbidden}, "unavailable"},
		{&sumu.Error{Op: "secret table", Kind: sumu.ErrInvalid}, "unavailable"},
		{&sumu.Error{Op: "secret table", Kind: sumu.ErrGone}, "unavailable"},
		{&sumu.Error{Op: "secret table", Kind: sumu.ErrThrottled}, "rate_limited"},
		{context.DeadlineExceeded, "unavailable"},
		{errors.New("secret table"), "unavailable"},
	} {
		w := newWorld(t, func(o *channels.Options) { o.Open = true })
		ann := w.connect("ann", "c1")
		w.store.err, w.client.err = tt.err, tt.err
		for _, frame := range []string{
			`{"action":"joinchannel","channel":"room.1"}`,
			`{"action":"leavechannel","channel":"room.1"}`,
			`{"action":"sendmessage","channel":"room.1","message":1}`,
		} {
			if code := w.code(ann, frame); code != tt.code {
				t.Errorf("%v, %s: code %q; want %q", tt.err, frame, code, tt.code)
			}
			if got := w.say(ann, frame); len(got) == 0 || slices.Contains([]byte(got), '$') || contains(got, "secret") {
				t.Errorf("%v is told as %s", tt.err, got)
			}
		}
	}
}
