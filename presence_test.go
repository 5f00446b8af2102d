package sumu_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

func TestPresenceEventJSON(t *testing.T) {
	for _, tt := range []struct {
		event sumu.PresenceEvent
		want  string
	}{
		{
			sumu.PresenceEvent{UserID: "u1", Status: sumu.Online, At: time.UnixMilli(1575929040000), Version: 7},
			`{"type":"presence","message":{"user_id":"u1","status":"ONLINE","timestamp":1575929040.000,"version":7,"id":"u1:7"}}`,
		},
		{
			sumu.PresenceEvent{UserID: "a:1", Status: sumu.Offline, At: time.UnixMilli(1575929040001), Version: 1},
			`{"type":"presence","message":{"user_id":"a:1","status":"OFFLINE","timestamp":1575929040.001,"version":1,"id":"a:1:1"}}`,
		},
		{
			sumu.PresenceEvent{UserID: "u1", Status: sumu.Online, At: time.UnixMilli(-1501), Version: 2},
			`{"type":"presence","message":{"user_id":"u1","status":"ONLINE","timestamp":-1.501,"version":2,"id":"u1:2"}}`,
		},
	} {
		got, err := json.Marshal(tt.event)
		if err != nil || string(got) != tt.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
		}
		var back sumu.PresenceEvent
		if err := json.Unmarshal(got, &back); err != nil || !back.At.Equal(tt.event.At) {
			t.Errorf("%s reads as %+v, %v", got, back, err)
		}
		back.At = tt.event.At // Compared above: a location does not come back.
		if back != tt.event {
			t.Errorf("got %+v, want %+v", back, tt.event)
		}
	}
}

func TestPresenceEventTimesAreExact(t *testing.T) {
	today := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC).UnixMilli()
	for i := range int64(4000) {
		ms := i // 1.001 * 1000 is not 1001 in a float64.
		if i >= 2000 {
			ms += today
		}
		e := sumu.PresenceEvent{UserID: "u", Status: sumu.Online, At: time.UnixMilli(ms), Version: 1}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back sumu.PresenceEvent
		if err := json.Unmarshal(text, &back); err != nil || !back.At.Equal(e.At) {
			t.Fatalf("%v became %v: %v", e.At, back.At, err)
		}
	}
}

func TestPresenceEventOfTheOriginalFormat(t *testing.T) {
	var e sumu.PresenceEvent
	err := json.Unmarshal([]byte(`{"message":{"version":3,"timestamp":1575929040.5,"status":"OFFLINE","user_id":"u1","more":1},"type":"presence"}`), &e)
	if err != nil || e.UserID != "u1" || e.Status != sumu.Offline || e.Version != 3 || e.At.UnixMilli() != 1575929040500 {
		t.Errorf("got %+v, %v", e, err)
	}
	if e.ID() != "u1:3" {
		t.Errorf("ID() = %q", e.ID())
	}
}

func TestPresenceEventRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"another type":       `{"type":"message","message":{"user_id":"u","status":"ONLINE","timestamp":1,"version":1}}`,
		"no message":         `{"type":"presence"}`,
		"another status":     `{"type":"presence","message":{"user_id":"u","status":"AWAY","timestamp":1,"version":1}}`,
		"lower case status":  `{"type":"presence","message":{"user_id":"u","status":"online","timestamp":1,"version":1}}`,
		"no user":            `{"type":"presence","message":{"status":"ONLINE","timestamp":1,"version":1}}`,
		"no timestamp":       `{"type":"presence","message":{"user_id":"u","status":"ONLINE","version":1}}`,
		"timestamp a word":   `{"type":"presence","message":{"user_id":"u","status":"ONLINE","timestamp":"now","version":1}}`,
		"timestamp too far":  `{"type":"presence","message":{"user_id":"u","status":"ONLINE","timestamp":1e300,"version":1}}`,
		"timestamp overflow": `{"type":"presence","message":{"user_id":"u","status":"ONLINE","timestamp":1e999,"version":1}}`,
		"no version":         `{"type":"presence","message":{"user_id":"u","status":"ONLINE","timestamp":1}}`,
		"version a fraction": `{"type":"presence","message":{"user_id":"u","status":"ONLINE","timestamp":1,"version":1.5}}`,
		"version negative":   `{"type":"presence","message":{"user_id":"u","status":"ONLINE","timestamp":1,"version":-1}}`,
		"a list":             `[]`,
	} {
		was := sumu.PresenceEvent{UserID: "before"}
		e := was
		// Called itself: json.Unmarshal would refuse broken syntax on its own.
		if err := e.UnmarshalJSON([]byte(text)); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
		if e != was {
			t.Errorf("%s: the event was changed to %+v", name, e)
		}
	}
	var e sumu.PresenceEvent
	wantKind(t, e.UnmarshalJSON([]byte(`{`)), sumu.ErrInvalid)
}

func TestPresenceRowEvent(t *testing.T) {
	row := sumu.PresenceRow{
		UserID: "u1", Status: sumu.Online, Version: 4, At: now,
		Announced: 3, Seq: 17, AbsentSince: now.Add(time.Second),
	}
	want := sumu.PresenceEvent{UserID: "u1", Status: sumu.Online, Version: 4, At: now}
	if got := row.Event(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPresencePublisherFunc(t *testing.T) {
	boom := errors.New("boom")
	want := sumu.PresenceEvent{UserID: "u1", Version: 1}
	var got sumu.PresenceEvent
	var pub sumu.PresencePublisher = sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		got = e
		return boom
	})
	if err := pub.PublishPresence(t.Context(), want); err != boom || got != want {
		t.Errorf("got %+v and %v", got, err)
	}
}
