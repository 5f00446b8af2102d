package main

import (
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/issuer"
)

// Without an authorizer $connect verifies the token: a client without one is
// refused before a table is asked.
func TestVerifiesTokens(t *testing.T) {
	iss, err := issuer.New("ES256")
	if err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewServer(iss)
	defer provider.Close()
	vars := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
		"JWT_ISSUER_JWKS_URI": provider.URL + issuer.Path,
	}
	if _, err := newHandler(of(vars), discard); err == nil || !strings.Contains(err.Error(), "JWT_AUTHORIZED_AUDIENCES is not set") {
		t.Errorf("without audiences: %v", err)
	}
	maps.Copy(vars, map[string]string{"JWT_ISSUER": provider.URL, "JWT_AUTHORIZED_AUDIENCES": "chat"})
	h, err := newHandler(of(vars), discard)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := iss.Sign(map[string]any{"iss": provider.URL, "aud": "bank", "sub": "eve", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, token, want string }{
		{"no token", "", `"statusCode":401`},
		{"nonsense", "nonsense", `"statusCode":401`},
		{"a token for another audience", foreign, `"statusCode":403`},
	} {
		event := `{"queryStringParameters":{"authorization":"` + tt.token + `"},
			"requestContext":{"eventType":"CONNECT","connectionId":"c1=","domainName":"abc.execute-api.us-east-1.amazonaws.com","stage":"prod"}}`
		if out, err := h.Invoke(t.Context(), []byte(event)); err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %s, %v, want %s", tt.name, out, err, tt.want)
		}
	}
}
