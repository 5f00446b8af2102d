package iot_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/iot"
	"github.com/sumu-live/sumu/pusher"
)

// published are the requests of a data plane, as "POST /path body".
type published struct {
	mu   sync.Mutex
	list []string
	fail int // the next so many are answered 500
}

func (p *published) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail > 0 {
		p.fail--
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	p.list = append(p.list, r.Method+" "+r.RequestURI+" "+string(body))
}

func (p *published) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list
	p.list = nil
	return list
}

func channelPusher(t *testing.T, plane *published, sender ...func(*iot.SenderOptions)) *pusher.Pusher {
	t.Helper()
	s, err := iot.NewSender(dataPlane(t, plane.ServeHTTP), sender...)
	if err != nil {
		t.Fatal(err)
	}
	store := new(memstore.Store)
	c := annsClient()
	c.ConnectedAt, c.DeleteAt = time.Now(), time.Now().Add(time.Hour)
	if err := store.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	push, err := pusher.New(store, s, func(o *pusher.Options) { o.Tries, o.Backoff = 2, time.Millisecond })
	if err != nil {
		t.Fatal(err)
	}
	return push
}

// A channel is one topic, to which the broker's clients have subscribed: it is
// published to once, whoever they are.
func TestToChannels(t *testing.T) {
	plane := new(published)
	push := channelPusher(t, plane)
	results, err := push.Push(t.Context(), sumu.Notification{ID: "n1", Channels: []string{"room.42", "a/b:c", "room.42"}, Data: json.RawMessage(`{"x":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Targets != 2 || r.Delivered != 2 {
		t.Errorf("result is %+v", r)
	}
	got := plane.taken()
	slices.Sort(got)
	want := []string{
		`POST /topics/channels%2Fa%2Fb%3Ac?qos=1 {"type":"message","channel":"a/b:c","id":"n1","data":{"x":1}}`,
		`POST /topics/channels%2Froom.42?qos=1 {"type":"message","channel":"room.42","id":"n1","data":{"x":1}}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("published %q, want %q", got, want)
	}
}

// What one publish to a topic cannot do is refused before anything is sent, and
// never told to whom it is not for.
func TestToChannelsUnsupported(t *testing.T) {
	for name, n := range map[string]sumu.Notification{
		"excluded users":       {Channels: []string{"room.42"}, ExcludeUsers: []string{"ann|1"}, Data: json.RawMessage(`1`)},
		"excluded connections": {Channels: []string{"room.42"}, ExcludeConnections: []string{"c1"}, Data: json.RawMessage(`1`)},
		"users beside":         {Channels: []string{"room.42"}, Users: []string{"ann|1"}, ExcludeUsers: []string{"bob"}, Data: json.RawMessage(`1`)},
		"an event":             {Event: &sumu.Event{Type: "T", Payload: json.RawMessage(`1`)}},
	} {
		plane := new(published)
		n.ID = "n1"
		results, err := channelPusher(t, plane).Push(t.Context(), n)
		if !errors.Is(err, sumu.ErrUnsupported) || !results[0].Refused() {
			t.Errorf("%s: %+v, %v", name, results, err)
		}
		if sent := plane.taken(); len(sent) > 0 {
			t.Errorf("%s: sent %q", name, sent)
		}
	}
}

// Names that mean something in a topic are refused, alone.
func TestToChannelsRefuses(t *testing.T) {
	plane := new(published)
	results, _ := channelPusher(t, plane).Push(t.Context(), sumu.Notification{
		ID: "n1", Channels: []string{"a?", "+", "$aws", "ok", strings.Repeat("a/", 8) + "a", strings.Repeat("x", 250)}, Data: json.RawMessage(`1`),
	})
	if r := results[0]; r.Targets != 6 || r.Delivered != 1 || r.Failed != 5 || len(r.Failures) != 5 {
		t.Errorf("result is %+v", r)
	}
	for _, f := range results[0].Failures {
		if want := sumu.ErrInvalid; !errors.Is(f.Err, want) && !errors.Is(f.Err, sumu.ErrTooLarge) || f.Target.UserID != "" {
			t.Errorf("%+v", f)
		}
	}
	if sent := plane.taken(); len(sent) != 1 {
		t.Errorf("sent %q", sent)
	}
}
