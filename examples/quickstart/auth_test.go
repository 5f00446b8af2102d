package main

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// TestTokens presents tokens that are signed with the server's own key, and
// wrong in one respect each, to the whole of the quickstart.
func TestTokens(t *testing.T) {
	leak.Check(t)
	s, err := newServer(testlog.Logger())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.routes(true))
	t.Cleanup(func() {
		// Not t.Context: it has ended when this runs.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.gateway.Shutdown(ctx); err != nil {
			t.Errorf("gateway: %v", err)
		}
		web.Close()
		if err := s.client.Close(ctx); err != nil {
			t.Errorf("client: %v", err)
		}
	})
	other, err := issuer.New("ES256")
	if err != nil {
		t.Fatal(err)
	}

	now := time.Now()
	good := map[string]any{"iss": issuerName, "aud": audience, "sub": "ann", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	with := func(name string, value any) map[string]any {
		claims := maps.Clone(good)
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return claims
	}
	for name, c := range map[string]struct {
		claims map[string]any
		sign   func(map[string]any) (string, error)
		status int
	}{
		"right":                   {good, s.issuer.Sign, 101},
		"ours among audiences":    {with("aud", []string{"other", audience}), s.issuer.Sign, 101},
		"another key":             {good, other.Sign, 401},
		"audience of another":     {with("aud", "other"), s.issuer.Sign, 403},
		"no audience":             {with("aud", nil), s.issuer.Sign, 403},
		"another issuer":          {with("iss", "other"), s.issuer.Sign, 401},
		"no issuer":               {with("iss", nil), s.issuer.Sign, 401},
		"expired":                 {with("exp", now.Add(-time.Minute).Unix()), s.issuer.Sign, 401},
		"without exp":             {with("exp", nil), s.issuer.Sign, 401},
		"exp a string":            {with("exp", "tomorrow"), s.issuer.Sign, 401},
		"not yet valid":           {with("nbf", now.Add(time.Hour).Unix()), s.issuer.Sign, 401},
		"without sub":             {with("sub", nil), s.issuer.Sign, 401},
		"sub empty":               {with("sub", ""), s.issuer.Sign, 401},
		"sub a number":            {with("sub", 7), s.issuer.Sign, 401},
		"sub a list":              {with("sub", []string{"ann"}), s.issuer.Sign, 401},
		"sub longer than allowed": {with("sub", strings.Repeat("x", 2049)), s.issuer.Sign, 401},
	} {
		token, err := c.sign(c.claims)
		if err != nil {
			t.Fatal(err)
		}
		for how, r := range map[string]*http.Request{
			"query":        wstest.Request(t, web.URL+"/ws?authorization="+token),
			"sub-protocol": wstest.Request(t, web.URL+"/ws"),
		} {
			if how == "sub-protocol" {
				r.Header.Set("Sec-WebSocket-Protocol", "sumu, bearer."+token)
			}
			conn := wstest.Send(t, r, nil)
			if resp, _ := conn.Response(); resp.StatusCode != c.status {
				t.Errorf("%s in the %s: %s; want %d", name, how, resp.Status, c.status)
			}
			conn.Close()
		}
	}
}
