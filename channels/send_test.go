package channels_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func TestSend(t *testing.T) {
	w := newWorld(t)
	w.grants = append(slices.Clone(member), sumu.Grant{Pattern: "default", Verbs: []sumu.Verb{sumu.VerbPost}})
	ann := w.connect("ann", "c1")
	for i, tt := range []struct{ frame, channel, data string }{
		{`{"action":"sendmessage","channel":"room.1","message":{ "text": "<b>" },"ref":"7"}`, "room.1", `{ "text": "<b>" }`},
		{`{"action":"sendmessage","message":"Hello","ref":"7"}`, "default", `"Hello"`},
		{`{"action":"sendmessage","channel":"room.1","message":null,"ref":"7"}`, "room.1", `null`},
	} {
		got := w.say(ann, tt.frame)
		if len(w.client.all) != i+1 {
			t.Fatalf("%s: %d messages were sent; answer %s", tt.frame, len(w.client.all), got)
		}
		n := w.client.all[i]
		if want := `{"type":"ack","action":"sendmessage","ref":"7","id":"` + n.ID + `"}`; n.ID == "" || got != want {
			t.Errorf("answer %s; want %s", got, want)
		}
		if !slices.Equal(n.Channels, []string{tt.channel}) || string(n.Data) != tt.data || n.From != "ann" ||
			!slices.Equal(n.ExcludeConnections, []string{"c1"}) || n.Validate() != nil {
			t.Errorf("sent was %+v", n)
		}
	}
	if code := w.code(ann, `{"action":"sendmessage","channel":"room.1"}`); code != "bad_request" {
		t.Errorf("without a message: code %q", code)
	}
	if len(w.client.all) != 3 {
		t.Errorf("%d messages were sent", len(w.client.all))
	}
}

// A message that names no channel goes to the default one. So a member that may
// be the channel's name misspelt is not ignored: it would tell others.
func TestSendWithAMisspeltChannel(t *testing.T) {
	w := newWorld(t)
	w.grants = append(slices.Clone(member), sumu.Grant{Pattern: "default", Verbs: []sumu.Verb{sumu.VerbPost}})
	ann := w.connect("ann", "c1")
	for _, name := range []string{"chanel", "Channel", "channel ", "channels", "room", ""} {
		got := w.say(ann, `{"action":"sendmessage","message":1,"`+name+`":"room.1"}`)
		if !strings.Contains(got, `"bad_request"`) || !strings.Contains(got, `unknown member \"`+name+`\"`) {
			t.Errorf("%q: %s", name, got)
		}
	}
	if len(w.client.all) != 0 {
		t.Errorf("sent was %+v", w.client.all)
	}
	for _, frame := range []string{
		`{"action":"sendmessage","message":1,"ref":"7","key":"k"}`,
		`{"action":"sendmessage","message":1,"channel":"room.1","chanel":"room.2","more":1}`,
	} {
		if code := w.code(ann, frame); code != "" {
			t.Errorf("%s: %s", frame, code)
		}
	}
}

// What fits when it comes, and does not with what members are told beside it,
// must not be acknowledged: nobody would receive it.
func TestSendNearTheLimit(t *testing.T) {
	w := newWorld(t, func(o *channels.Options) { o.Open = true })
	ann := w.connect("ann", "c1")
	frame := func(n int) string {
		return `{"action":"sendmessage","channel":"r","message":"` + strings.Repeat("x", n-2) + `"}`
	}
	around := len(`{"type":"message","channel":"r","from":"ann","id":"`) + 26 + len(`","data":}`)
	if code := w.code(ann, frame(sumu.MaxPayload-around)); code != "" {
		t.Errorf("the largest message: code %q", code)
	}
	if code := w.code(ann, frame(sumu.MaxPayload-around+1)); code != "too_large" {
		t.Errorf("a byte more: code %q", code)
	}
	if code := w.code(ann, frame(sumu.MaxPayload+1)); code != "too_large" {
		t.Errorf("over 128 KB: code %q", code)
	}
	if len(w.client.all) != 1 {
		t.Errorf("%d messages were sent", len(w.client.all))
	}
}
