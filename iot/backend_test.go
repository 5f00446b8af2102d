package iot_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/iot"
)

// inbound is what the rule writes of a message.
func inbound(clientID, topic, data string) string {
	return fmt.Sprintf(`{"data":%q,"client_id":%q,"topic":%q,"timestamp":1796126400123,"id":"trace-1"}`,
		base64.StdEncoding.EncodeToString([]byte(data)), clientID, topic)
}

// heard are the messages that backends have got.
type heard struct {
	got []sumu.BackendMessage
	err error
	log strings.Builder
}

func (h *heard) inbox(t *testing.T) *iot.Inbox {
	t.Helper()
	backend := func(_ context.Context, m sumu.BackendMessage) error {
		h.got = append(h.got, m)
		return h.err
	}
	in, err := iot.NewInbox(map[string]sumu.Backend{iot.ActionPublish: backend}, func(o *iot.InboxOptions) {
		o.Logger = slog.New(slog.NewTextHandler(&h.log, nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestInbox(t *testing.T) {
	var h heard
	id := "ann=7C1" + random
	body := `{"text":"é", "user_id":"bob", "connection_id":"c"}`
	if err := h.inbox(t).Handle(t.Context(), []byte(inbound(id, "sumu-backend/ann=7C1/"+id+"/publish", body))); err != nil {
		t.Fatal(err)
	}
	want := sumu.BackendMessage{
		ID: "trace-1", UserID: "ann|1", ConnectionID: id, Source: "apigw.route.publish",
		Timestamp: time.UnixMilli(1796126400123), Body: json.RawMessage(body),
	}
	if len(h.got) != 1 || fmt.Sprint(h.got[0]) != fmt.Sprint(want) {
		t.Errorf("the backend got %+v, want %+v", h.got, want)
	}
}

// What a client should not have sent reaches no backend, comes not again, and is
// told without its text.
func TestInboxLeavesOut(t *testing.T) {
	id, bobs := "ann"+random, "bob"+random
	for name, body := range map[string]string{
		"no JSON":            inbound(id, "sumu-backend/ann/"+id+"/publish", "secret"),
		"nothing":            inbound(id, "sumu-backend/ann/"+id+"/publish", ""),
		"no backend":         inbound(id, "sumu-backend/ann/"+id+"/send", `"secret"`),
		"no action":          inbound(id, "sumu-backend/ann/"+id+"/", `"secret"`),
		"another's client":   inbound(id, "sumu-backend/bob/"+bobs+"/publish", `"secret"`),
		"another's user":     inbound(id, "sumu-backend/bob/"+id+"/publish", `"secret"`),
		"no client of ours":  inbound("device-7", "sumu-backend/device/device-7/publish", `"secret"`),
		"not by MQTT":        inbound("n/a", "sumu-backend/ann/"+id+"/publish", `"secret"`),
		"a user in two ways": inbound("=41"+random, "sumu-backend/=41/=41"+random+"/publish", `"secret"`),
	} {
		var h heard
		if err := h.inbox(t).Handle(t.Context(), []byte(body)); err != nil || len(h.got) > 0 {
			t.Errorf("%s: %v, the backend got %+v", name, err, h.got)
		}
		if log := h.log.String(); !strings.Contains(log, "left out") || strings.Contains(log, "secret") {
			t.Errorf("%s: logged %q", name, log)
		}
	}
}

func TestInboxErrors(t *testing.T) {
	id := "ann" + random
	good := inbound(id, "sumu-backend/ann/"+id+"/publish", `1`)
	for _, body := range []string{
		``, `null`, `[]`, `{}`, good[:len(good)-1], strings.Replace(good, "sumu-backend/", "sumu/", 1), strings.Replace(good, "1796126400123", "0", 1),
		strings.Replace(good, `"id":"trace-1"`, `"id":""`, 1), strings.Replace(good, `"data"`, `"date"`, 1), strings.Replace(good, `/publish`, `/x/publish`, 1),
		`{"data":"` + strings.Repeat("A", 300_000) + `"}`,
	} {
		var h heard
		if err := h.inbox(t).Handle(t.Context(), []byte(body)); !errors.Is(err, sumu.ErrInvalid) || len(h.got) > 0 {
			t.Errorf("%.200s: %v", body, err)
		}
	}
	for kind, again := range map[error]bool{sumu.ErrUnavailable: true, sumu.ErrThrottled: true, sumu.ErrTooLarge: false, sumu.ErrInvalid: false} {
		h := heard{err: &sumu.Error{Kind: kind}}
		if err := h.inbox(t).Handle(t.Context(), []byte(good)); errors.Is(err, kind) != again || (err == nil) == again {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

func TestNewInboxRefuses(t *testing.T) {
	backend := func(context.Context, sumu.BackendMessage) error { return nil }
	for _, backends := range []map[string]sumu.Backend{nil, {"publish": nil}, {"publish": backend, "other": backend}} {
		if _, err := iot.NewInbox(backends); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%v: %v", backends, err)
		}
	}
}

// A client may publish to its own topics for backends alone, and only to those
// that its grants leave it.
func TestBackendPolicy(t *testing.T) {
	for name, tt := range map[string]struct {
		grants sumu.Grants
		off    bool
		want   []string
	}{
		"by default":   {nil, false, []string{"publish", "send"}},
		"taken away":   {sumu.Grants{grant("", sumu.VerbBackend)}, false, nil},
		"one of them":  {sumu.Grants{grant("send", sumu.VerbBackend)}, false, []string{"send"}},
		"not switched": {nil, true, nil},
	} {
		api := new(fakeSTS)
		v, err := iot.NewVendor(as(sumu.Identity{UserID: "ann", Grants: tt.grants}, nil), api, "arn:aws:iam::123456789012:role/client",
			"a1-ats.iot.eu-west-1.amazonaws.com", func(o *iot.VendorOptions) { o.Backend = !tt.off })
		if err != nil {
			t.Fatal(err)
		}
		c, err := v.Vend(t.Context(), &sumu.ConnectRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var policy struct {
			Statement []struct {
				Action   string
				Resource []string
			}
		}
		if err := json.Unmarshal([]byte(*api.asked[0].Policy), &policy); err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, s := range policy.Statement {
			if s.Action == "iot:Publish" {
				got = append(got, s.Resource...)
			}
		}
		for _, action := range tt.want {
			want = append(want, "arn:aws:iot:eu-west-1:123456789012:topic/sumu-backend/ann/"+c.ClientID+"/"+action)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: may publish to %q, want %q", name, got, want)
		}
	}
}

// Whatever comes, a message that a backend gets is its client's own.
func FuzzInbox(f *testing.F) {
	id := "ann" + random
	f.Add([]byte(inbound(id, "sumu-backend/ann/"+id+"/publish", `1`)))
	f.Add([]byte(inbound(id, "sumu-backend/bob/"+id+"/publish", `1`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		var got []sumu.BackendMessage
		backend := func(_ context.Context, m sumu.BackendMessage) error { got = append(got, m); return nil }
		in, err := iot.NewInbox(map[string]sumu.Backend{"publish": backend, "send": backend}, func(o *iot.InboxOptions) { o.Logger = slog.New(slog.DiscardHandler) })
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Handle(t.Context(), body); err != nil && (!errors.Is(err, sumu.ErrInvalid) || len(got) > 0) {
			t.Errorf("%v, %+v", err, got)
		}
		for _, m := range got {
			user, ok := iot.UserOf(m.ConnectionID)
			if !ok || user != m.UserID || !json.Valid(m.Body) || m.Source == "" || m.ID == "" {
				t.Errorf("the backend got %+v", m)
			}
		}
	})
}
