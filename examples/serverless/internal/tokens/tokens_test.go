package tokens

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/internal/issuer"
)

// provider answers every request with a key set, whatever host it is for.
type provider []byte

func (p provider) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(p)), Request: r}, nil
}

const (
	cognito = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"
	other   = "https://id.example.com/"
)

// A token is let in, or not, with nothing but the settings that a deployment has.
func TestTokensOfProviders(t *testing.T) {
	iss, err := issuer.New("RS256")
	if err != nil {
		t.Fatal(err)
	}
	old := http.DefaultTransport
	http.DefaultTransport = provider(iss.JWKS())
	defer func() { http.DefaultTransport = old }()

	type claims = map[string]any
	type vars = map[string]string
	pool := vars{"JWT_ISSUER_JWKS_URI": cognito + issuer.Path}
	named := vars{"JWT_ISSUER_JWKS_URI": cognito + issuer.Path, "JWT_ISSUER": cognito}
	elsewhere := vars{"JWT_ISSUER_JWKS_URI": other + "keys", "JWT_ISSUER": other}
	claimed := vars{"JWT_ISSUER_JWKS_URI": other + "keys", "JWT_ISSUER": other, "JWT_AUDIENCE_CLAIMS": "aud, azp"}
	for _, tt := range []struct {
		name   string
		vars   vars
		claims claims
		ok     bool
	}{
		{"access token of Cognito", pool, claims{"iss": cognito, "client_id": "app", "token_use": "access"}, true},
		{"ID token of Cognito", pool, claims{"iss": cognito, "aud": "app", "token_use": "id"}, true},
		{"access token of Cognito, the issuer named too", named, claims{"iss": cognito, "client_id": "app", "token_use": "access"}, true},
		{"access token of another client", pool, claims{"iss": cognito, "client_id": "bank", "token_use": "access"}, false},
		{"access token of another pool", pool, claims{"iss": cognito + "2", "client_id": "app", "token_use": "access"}, false},
		{"refresh token of Cognito", pool, claims{"iss": cognito, "client_id": "app", "token_use": "refresh"}, false},
		{"token of Cognito without a use", pool, claims{"iss": cognito, "aud": "app"}, false},

		{"client_id elsewhere", elsewhere, claims{"iss": other, "client_id": "app"}, false},
		{"aud elsewhere", elsewhere, claims{"iss": other, "aud": "app"}, true},
		{"azp where it is named", claimed, claims{"iss": other, "azp": "app"}, true},
		{"aud where it is named", claimed, claims{"iss": other, "aud": []string{"x", "app"}}, true},
		{"client_id where azp is named", claimed, claims{"iss": other, "client_id": "app"}, false},
	} {
		settings := maps.Clone(tt.vars)
		settings["JWT_AUTHORIZED_AUDIENCES"] = "app"
		auth, err := Authorizer(env.New(func(name string) (string, bool) { v, ok := settings[name]; return v, ok }), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		all := claims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(all, tt.claims)
		token, err := iss.Sign(all)
		if err != nil {
			t.Fatal(err)
		}
		id, err := auth.Authorize(t.Context(), &sumu.ConnectRequest{Query: map[string][]string{"authorization": {token}}})
		if ok := err == nil && id.UserID == "ann"; ok != tt.ok {
			t.Errorf("%s: %q, %v", tt.name, id.UserID, err)
		}
	}
}
