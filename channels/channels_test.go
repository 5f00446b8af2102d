package channels_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/memstore"
)

var member = sumu.Grants{{Pattern: "room.*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}}

func TestNewReportsEverything(t *testing.T) {
	_, err := channels.New(nil, nil, func(o *channels.Options) {
		o.Default, o.MaxName, o.JoinBurst, o.JoinRate, o.Open = "a b", 257, -1, math.NaN(), true
		o.Policy = func(context.Context, sumu.Identity, sumu.Verb, string) error { return nil }
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Fatalf("got %v; want ErrInvalid", err)
	}
	for _, name := range []string{"Store", "NotifyClient", "Default", "MaxName", "JoinBurst", "JoinRate", "Open"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if _, err := channels.New(plainStore{new(memstore.Store)}, new(sent)); !errors.Is(err, sumu.ErrUnsupported) {
		t.Errorf("a store without channels: %v; want ErrUnsupported", err)
	}
}

// plainStore has the methods of a Store, and no more.
type plainStore struct{ sumu.Store }

func TestAttachNeedsTheAppsStore(t *testing.T) {
	rooms, err := channels.New(newStore(), new(sent))
	if err != nil {
		t.Fatal(err)
	}
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, nil
	})
	app, err := sumu.NewApp(auth, plainStore{new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	if err := rooms.Attach(app); !errors.Is(err, sumu.ErrUnsupported) {
		t.Errorf("attached to an App whose store keeps nothing: %v", err)
	}
}

func TestJoinAndLeave(t *testing.T) {
	w := newWorld(t)
	w.grants = member
	ann := w.connect("ann", "c1")
	for _, action := range []string{"joinchannel", "join"} {
		w.want(ann, `{"action":"`+action+`","channel":"room.1","ref":"7"}`, `{"channel":"room.1","connectionId":"c1","ref":"7"}`)
		w.want(ann, `{"action":"`+action+`","channel":"room.1"}`, `{"channel":"room.1","connectionId":"c1"}`) // Twice is once.
	}
	w.say(ann, `{"action":"join","channel":"room.2"}`)
	if got := w.channelsOf(ann); !slices.Equal(got, []string{"room.1", "room.2"}) {
		t.Errorf("channels are %q", got)
	}
	w.want(ann, `{"action":"leave","channel":"room.1","ref":"8"}`, `{"channel":"room.1","connectionId":"c1","ref":"8"}`)
	w.want(ann, `{"action":"leavechannel","channel":"room.9"}`, `{"channel":"room.9","connectionId":"c1"}`) // It never was in there.
	if got := w.channelsOf(ann); !slices.Equal(got, []string{"room.2"}) {
		t.Errorf("channels are %q", got)
	}
	if err := w.app.Disconnect(t.Context(), ann.Connection, sumu.DisconnectReason{}); err != nil {
		t.Fatal(err)
	}
	if got := w.channelsOf(ann); len(got) != 0 {
		t.Errorf("channels after the end are %q", got)
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	w.grants = sumu.Grants{{Pattern: "*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}}
	ann := w.connect("ann", "c1")
	writes := w.store.writes
	for what, member := range map[string]string{
		"missing":          ``,
		"null":             `,"channel":null`,
		"empty":            `,"channel":""`,
		"a number":         `,"channel":7`,
		"a list":           `,"channel":["room.1"]`,
		"10 KB":            `,"channel":"` + strings.Repeat("x", 10<<10) + `"`,
		"one byte over":    `,"channel":"` + strings.Repeat("x", 129) + `"`,
		"with #":           `,"channel":"room#1"`,
		"with *":           `,"channel":"room.*"`,
		"a control":        `,"channel":"room\u0000"`,
		"DEL":              `,"channel":"room\u007f"`,
		"a space":          `,"channel":"room 1"`,
		"half a character": `,"channel":"room\ud800"`,
		"outside of ASCII": `,"channel":"rööm"`,
		"a shard's sign":   `,"channel":"room|1"`,
	} {
		for _, action := range []string{"joinchannel", "leavechannel", "sendmessage"} {
			if what == "missing" && action == "sendmessage" {
				continue // It is for the default one.
			}
			if code := w.code(ann, `{"action":"`+action+`","message":1`+member+`}`); code != "bad_request" {
				t.Errorf("%s with a channel that is %s: code %q; want bad_request", action, what, code)
			}
		}
	}
	if w.store.writes != writes || len(w.client.all) != 0 {
		t.Errorf("%d writes and %d messages were made", w.store.writes-writes, len(w.client.all))
	}
	for _, name := range []string{"a", "room/1:2@x-y_z.0", strings.Repeat("x", 128), "0/room.1"} {
		if code := w.code(ann, `{"action":"join","channel":"`+name+`"}`); code != "" {
			t.Errorf("name %q is refused: %s", name, code)
		}
	}
}

// Half of a surrogate pair is no name, whatever the alphabet: it would be that
// of the channel U+FFFD.
func TestHalfASurrogateIsNoChannel(t *testing.T) {
	w := newWorld(t, func(o *channels.Options) { o.Alphabet = func(rune) bool { return true } })
	w.grants = sumu.Grants{{Pattern: "*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}}
	ann := w.connect("ann", "c1")
	for _, half := range []string{`\ud800`, `\udc00\ud800`, `a\udfff`} {
		for _, action := range []string{"joinchannel", "join", "leavechannel", "leave", "sendmessage"} {
			if code := w.code(ann, `{"action":"`+action+`","message":1,"channel":"`+half+`"}`); code != "bad_request" {
				t.Errorf("%s %s: code %q", action, half, code)
			}
		}
	}
	if code := w.code(ann, `{"action":"join","channel":"\ud83d\ude00"}`); code != "" || w.channelsOf(ann)[0] != "\U0001f600" {
		t.Errorf("a whole name: %s, %q", code, w.channelsOf(ann))
	}
}

func TestAlphabet(t *testing.T) {
	w := newWorld(t, func(o *channels.Options) {
		o.Open, o.MaxName = true, 4
		o.Alphabet = func(r rune) bool { return r >= 'а' && r <= 'я' || r == '#' }
	})
	ann := w.connect("ann", "c1")
	for name, code := range map[string]string{"да": "", "da": "bad_request", "#": "bad_request", "дада": "bad_request"} {
		if got := w.code(ann, `{"action":"join","channel":"`+name+`"}`); got != code {
			t.Errorf("name %q: code %q; want %q", name, got, code)
		}
	}
}

func TestGrants(t *testing.T) {
	for _, tt := range []struct {
		name       string
		grants     sumu.Grants
		optFn      func(*channels.Options)
		join, post string // codes for "room.1"
	}{
		{"none", nil, nil, "forbidden", "forbidden"},
		{"both", member, nil, "", ""},
		{"join", sumu.Grants{{Pattern: "room.1", Verbs: []sumu.Verb{sumu.VerbJoin}}}, nil, "", "forbidden"},
		{"post", sumu.Grants{{Pattern: "*", Verbs: []sumu.Verb{sumu.VerbPost}}}, nil, "forbidden", ""},
		{"another room", sumu.Grants{{Pattern: "room.10", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}}, nil, "forbidden", "forbidden"},
		{"open", nil, func(o *channels.Options) { o.Open = true }, "", ""},
		{"policy", nil, func(o *channels.Options) {
			o.Policy = func(_ context.Context, id sumu.Identity, verb sumu.Verb, channel string) error {
				if id.UserID == "ann" && verb == sumu.VerbJoin && channel == "room.1" {
					return nil
				}
				return &sumu.Error{Op: "not today", Kind: sumu.ErrForbidden}
			}
		}, "", "forbidden"},
		{"policy beside grants", member, func(o *channels.Options) {
			o.Policy = func(context.Context, sumu.Identity, sumu.Verb, string) error { return sumu.ErrForbidden }
		}, "forbidden", "forbidden"},
		{"policy that fails", member, func(o *channels.Options) {
			o.Policy = func(context.Context, sumu.Identity, sumu.Verb, string) error { return errors.New("no answer") }
		}, "unavailable", "unavailable"},
		{"policy that panics", member, func(o *channels.Options) {
			o.Policy = func(context.Context, sumu.Identity, sumu.Verb, string) error { panic("policy") }
		}, "unavailable", "unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(o *channels.Options) {
				if tt.optFn != nil {
					tt.optFn(o)
				}
			})
			w.grants = tt.grants
			ann := w.connect("ann", "c1")
			if got := w.code(ann, `{"action":"joinchannel","channel":"room.1"}`); got != tt.join {
				t.Errorf("join: code %q; want %q", got, tt.join)
			}
			if got := w.code(ann, `{"action":"sendmessage","channel":"room.1","message":1}`); got != tt.post {
				t.Errorf("send: code %q; want %q", got, tt.post)
			}
			if got := len(w.channelsOf(ann)); (got == 1) != (tt.join == "") {
				t.Errorf("in %d channels", got)
			}
			if got := len(w.client.all); (got == 1) != (tt.post == "") {
				t.Errorf("%d messages were sent", got)
			}
			// To leave is always allowed.
			if got := w.code(ann, `{"action":"leavechannel","channel":"room.1"}`); got != "" || len(w.channelsOf(ann)) != 0 {
				t.Errorf("leave: code %q, channels %q", got, w.channelsOf(ann))
			}
		})
	}
}
