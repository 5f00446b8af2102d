package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

// accepts is a client that keeps what it is sent, or refuses it.
type accepts struct {
	err  error
	sent []sumu.Notification
}

func (a *accepts) Send(_ context.Context, n sumu.Notification) error {
	if a.err == nil {
		a.sent = append(a.sent, n)
	}
	return a.err
}

func TestSendMakesAnID(t *testing.T) {
	var c accepts
	n := sumu.Notification{Everyone: true, Data: json.RawMessage(`1`)}
	first, err := notify.Send(t.Context(), &c, n)
	if err != nil || len(first) != 26 || c.sent[0].ID != first {
		t.Errorf("id %q sent as %q, error %v", first, c.sent[0].ID, err)
	}
	second, _ := notify.Send(t.Context(), &c, n)
	if second == first {
		t.Error("two notifications have the same id")
	}
	n.ID = "mine"
	if id, _ := notify.Send(t.Context(), &c, n); id != "mine" || c.sent[2].ID != "mine" {
		t.Errorf("id %q; want mine", id)
	}
}

func TestSendReportsWhatIsWrong(t *testing.T) {
	var c accepts
	for name, n := range map[string]sumu.Notification{
		"no targets": {Data: json.RawMessage(`1`)},
		"no data":    {Users: []string{"ann"}},
		"bad data":   {Users: []string{"ann"}, Data: json.RawMessage(`{`)},
	} {
		if _, err := notify.Send(t.Context(), &c, n); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s: %v; want ErrInvalid", name, err)
		}
	}
	big := json.RawMessage(`"` + strings.Repeat("x", sumu.MaxPayload) + `"`)
	if _, err := notify.Send(t.Context(), &c, sumu.Notification{Everyone: true, Data: big}); !errors.Is(err, sumu.ErrTooLarge) {
		t.Errorf("over 128 KB: %v; want ErrTooLarge", err)
	}
	if len(c.sent) != 0 {
		t.Errorf("%d invalid notifications reached the client", len(c.sent))
	}
	c.err = &sumu.Error{Op: "queue", Kind: sumu.ErrUnavailable}
	id, err := notify.Send(t.Context(), &c, sumu.Notification{ID: "n1", Everyone: true, Data: json.RawMessage(`1`)})
	if !errors.Is(err, sumu.ErrUnavailable) || id != "" || err.Error() != "notify n1: queue: unavailable" {
		t.Errorf("id %q, error %v; want the client's", id, err)
	}
}

func TestConstructorsRefuseAnEmptyList(t *testing.T) {
	if _, err := notify.ToUsers(1); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("no users: %v; want ErrInvalid", err)
	}
	if _, err := notify.ToUsers(1, "ann", ""); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("an empty user: %v; want ErrInvalid", err)
	}
	if _, err := notify.ToConnections(1); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("no connections: %v; want ErrInvalid", err)
	}
	if _, err := notify.ToChannels(1); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("no channels: %v; want ErrInvalid", err)
	}
	if _, err := notify.ToChannels(1, "room.1", "room #2"); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("a channel that cannot be: %v; want ErrInvalid", err)
	}
}

func TestToEvent(t *testing.T) {
	n, err := notify.ToEvent("t", json.RawMessage(`{ "a": 1.0 }`))
	if err != nil || n.Event.Type != "t" || string(n.Event.Payload) != `{ "a": 1.0 }` || n.Data != nil {
		t.Errorf("got %+v, %v", n, err)
	}
	if _, err := notify.ToEvent("", 1); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("no type: %v; want ErrInvalid", err)
	}
	if _, err := notify.ToEvent("t", func() {}); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("a payload that is no JSON: %v; want ErrInvalid", err)
	}
	if _, err := notify.ToEvent("t", strings.Repeat("x", sumu.MaxPayload)); !errors.Is(err, sumu.ErrTooLarge) {
		t.Errorf("a payload that is too large: %v; want ErrTooLarge", err)
	}
}

func TestDataIsEncodedAsItIs(t *testing.T) {
	for _, tc := range []struct {
		data any
		want string
	}{
		{map[string]any{"a": "<b>&"}, `{"a":"<b>&"}`},
		{json.RawMessage(`{ "a": 1.0 }`), `{ "a": 1.0 }`},
		{nil, `null`},
		{"text", `"text"`},
	} {
		n, err := notify.ToUsers(tc.data, "ann")
		if err != nil || string(n.Data) != tc.want {
			t.Errorf("%v became %s, error %v; want %s", tc.data, n.Data, err, tc.want)
		}
	}
	for _, bad := range []any{func() {}, json.RawMessage(`{`), json.RawMessage(nil)} {
		if _, err := notify.ToUsers(bad, "ann"); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%T: %v; want ErrInvalid", bad, err)
		}
	}
}
