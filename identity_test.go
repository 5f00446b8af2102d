package sumu_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

const secret = "eyJhbGciOiJub25lIn0"

// secretive is a request that holds the token everywhere a client can put it.
func secretive() sumu.ConnectRequest {
	return sumu.ConnectRequest{
		ConnectionID: "c1",
		Endpoint:     "https://node1.example.com",
		Header: map[string][]string{
			"Authorization":          {"Bearer " + secret},
			"Cookie":                 {"session=" + secret},
			"Sec-Websocket-Protocol": {"sumu, bearer." + secret},
		},
		Query:    map[string][]string{"authorization": {secret}},
		SourceIP: "192.0.2.7",
	}
}

func TestConnectRequestNeverShowsAToken(t *testing.T) {
	req := secretive()
	type holder struct {
		Request sumu.ConnectRequest
		Pointer *sumu.ConnectRequest
	}
	shown := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T %v"} {
		args := []any{req}
		if verb == "%T %v" {
			args = append(args, req)
		}
		shown["value "+verb] = fmt.Sprintf(verb, args...)
		if verb != "%T %v" {
			shown["pointer "+verb] = fmt.Sprintf(verb, &req)
			shown["list "+verb] = fmt.Sprintf(verb, []sumu.ConnectRequest{req})
			shown["in a struct "+verb] = fmt.Sprintf(verb, holder{Request: req, Pointer: &req})
		}
	}
	for name, v := range map[string]any{"value": req, "pointer": &req, "in a struct": holder{req, &req}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("json of a %s: %v", name, err)
		}
		shown["json "+name] = string(text)
		var buf bytes.Buffer
		slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "request", v)
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "request", v)
		shown["slog "+name] = buf.String()
	}
	for how, text := range shown {
		// %x and %X write bytes as digits: look for the token in that form too.
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
			if strings.Contains(text, form) {
				t.Errorf("%s shows the token: %s", how, text)
			}
		}
	}
	if got, want := req.String(), "connect c1 from 192.0.2.7"; got != want || fmt.Sprint(&req) != want {
		t.Errorf("String() = %q, Sprint = %q, want %q", got, fmt.Sprint(&req), want)
	}
}

func TestConnectRequestHeaderValues(t *testing.T) {
	req := &sumu.ConnectRequest{Header: map[string][]string{
		"AUTHORIZATION": {"a"},
		"Cookie":        {"x=1", "y=2"},
		"x-empty":       {},
	}}
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"Authorization", []string{"a"}},
		{"authorization", []string{"a"}},
		{"AUTHORIZATION", []string{"a"}},
		{"cookie", []string{"x=1", "y=2"}},
		{"X-Empty", nil},
		{"Origin", nil},
	} {
		if got := req.HeaderValues(tt.name); !slices.Equal(got, tt.want) {
			t.Errorf("HeaderValues(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := new(sumu.ConnectRequest).HeaderValues("Origin"); got != nil {
		t.Errorf("without any header: %q", got)
	}
}

func TestConnectRequestSubprotocols(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header string
		lines  []string
		want   []string
	}{
		{"none", "Sec-WebSocket-Protocol", nil, nil},
		{"one", "Sec-WebSocket-Protocol", []string{"sumu"}, []string{"sumu"}},
		{"as net/http spells it", "Sec-Websocket-Protocol", []string{"sumu,bearer.x"}, []string{"sumu", "bearer.x"}},
		{"lower case, spaces", "sec-websocket-protocol", []string{" sumu ,\tbearer.x "}, []string{"sumu", "bearer.x"}},
		{"several lines", "Sec-Websocket-Protocol", []string{"b, a", "c"}, []string{"b", "a", "c"}},
		{"empty items", "Sec-Websocket-Protocol", []string{",, sumu,,", ""}, []string{"sumu"}},
		{"case is kept", "Sec-Websocket-Protocol", []string{"SUMU"}, []string{"SUMU"}},
	} {
		req := &sumu.ConnectRequest{Header: map[string][]string{tt.header: tt.lines}}
		if got := req.Subprotocols(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
