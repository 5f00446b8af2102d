package iot_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/iot"
)

// The events of AWS's documentation ("Lifecycle events", read 2026-11).
const (
	connectedEvent = `{"clientId":"186b5","timestamp":1573002230757,"eventType":"connected",
		"sessionIdentifier":"a4666d2a7d844ae4ac5d7b38c9cb7967","principalIdentifier":"12345678901234567890123456789012",
		"ipAddress":"192.0.2.0","versionNumber":0}`
	disconnectedEvent = `{"clientId":"186b5","timestamp":1573002340451,"eventType":"disconnected",
		"sessionIdentifier":"a4666d2a7d844ae4ac5d7b38c9cb7967","principalIdentifier":"12345678901234567890123456789012",
		"clientInitiatedDisconnect":true,"disconnectReason":"CLIENT_INITIATED_DISCONNECT","versionNumber":0}`
)

func TestParseEvent(t *testing.T) {
	for body, want := range map[string]iot.Event{
		connectedEvent:    {ClientID: "186b5", Connected: true, At: time.UnixMilli(1573002230757), Principal: "12345678901234567890123456789012"},
		disconnectedEvent: {ClientID: "186b5", At: time.UnixMilli(1573002340451), Principal: "12345678901234567890123456789012", Reason: "CLIENT_INITIATED_DISCONNECT"},
	} {
		if got, err := iot.ParseEvent([]byte(body)); got != want || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestParseEventRefuses(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `"x"`, `{}`, `{"clientId":"a"`,
		`{"clientId":"","timestamp":1,"eventType":"connected","versionNumber":0}`,
		`{"clientId":7,"timestamp":1,"eventType":"connected","versionNumber":0}`,
		`{"timestamp":1,"eventType":"connected","versionNumber":0}`,
		`{"clientId":"a","timestamp":1,"eventType":"","versionNumber":0}`,
		`{"clientId":"a","timestamp":1,"eventType":7,"versionNumber":0}`,
		`{"clientId":"a","timestamp":1,"eventType":null,"versionNumber":0}`,
		`{"clientId":"a","timestamp":1,"versionNumber":0}`,
		`{"clientId":"a","timestamp":1,"eventType":"connected"}`,
		`{"clientId":"a","timestamp":1,"eventType":"connected","versionNumber":-1}`,
		`{"clientId":"a","timestamp":1,"eventType":"connected","versionNumber":1.5}`,
		`{"clientId":"a","timestamp":1,"eventType":"connected","versionNumber":"1"}`,
		`{"clientId":"a","timestamp":0,"eventType":"connected","versionNumber":1}`,
		`{"clientId":"a","eventType":"connected","versionNumber":1}`,
		`{"clientId":"a","timestamp":9223372036854775807,"eventType":"connected","versionNumber":1}`,
	} {
		if got, err := iot.ParseEvent([]byte(body)); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
	for _, body := range []string{`{"clientId":"a","timestamp":1,"eventType":"subscribed","versionNumber":0}`, `{"eventType":"connect_failed"}`} {
		if got, err := iot.ParseEvent([]byte(body)); !errors.Is(err, sumu.ErrUnsupported) || sumu.Retryable(err) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

// What is read as an event is the same when it is written and read again, and
// is one that can be put in order.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(connectedEvent))
	f.Add([]byte(disconnectedEvent))
	f.Add([]byte(`{"clientId":"186b5","timestamp":1573002230757,"eventType":"connect_failed"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := iot.ParseEvent(body)
		if err != nil {
			if !errors.Is(err, sumu.ErrInvalid) && !errors.Is(err, sumu.ErrUnsupported) || e != (iot.Event{}) {
				t.Errorf("%+v, %v", e, err)
			}
			return
		}
		eventType := "disconnected"
		if e.Connected {
			eventType = "connected"
		}
		again, err := json.Marshal(map[string]any{
			"clientId": e.ClientID, "timestamp": e.At.UnixMilli(), "eventType": eventType, "versionNumber": e.Version,
			"principalIdentifier": e.Principal, "disconnectReason": e.Reason,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := iot.ParseEvent(again); got != e || err != nil {
			t.Errorf("got %+v, %v; want %+v", got, err, e)
		}
		if e.Version < 0 || e.At.Year() > 20_000 || e.ClientID == "" {
			t.Errorf("read %+v", e)
		}
	})
}
