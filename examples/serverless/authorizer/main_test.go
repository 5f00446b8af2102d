package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/examples/serverless/internal/env"
)

func of(vars map[string]string) *env.Env {
	return env.New(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

var discard = slog.New(slog.DiscardHandler)

func TestSettings(t *testing.T) {
	const keys, cognito = "https://id.example.com/keys", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC/.well-known/jwks.json"
	for _, tt := range []struct {
		name string
		vars map[string]string
		want []string // in the error; none: it starts
	}{
		{"nothing", nil, []string{"JWT_ISSUER_JWKS_URI is not set", "JWT_AUTHORIZED_AUDIENCES is not set", "JWT_ISSUER is not set"}},
		{"an issuer that the URL tells", map[string]string{"JWT_ISSUER_JWKS_URI": cognito, "JWT_AUTHORIZED_AUDIENCES": " chat, mail ,"}, nil},
		{"an issuer that it does not tell", map[string]string{"JWT_ISSUER_JWKS_URI": keys, "JWT_AUTHORIZED_AUDIENCES": "chat"}, []string{"JWT_ISSUER is not set"}},
		{"unsafe by choice", map[string]string{"JWT_ISSUER_JWKS_URI": keys, "JWT_INSECURE_ANY_AUDIENCE": "True", "JWT_INSECURE_ANY_ISSUER": "1"}, nil},
		{"a boolean that is none", map[string]string{"JWT_ISSUER_JWKS_URI": cognito, "JWT_AUTHORIZED_AUDIENCES": "chat", "JWT_VERIFY_EXPIRATION": "maybe"}, []string{"JWT_VERIFY_EXPIRATION is neither"}},
		{"all of them", map[string]string{
			"JWT_ISSUER_JWKS_URI": keys, "JWT_AUTHORIZED_AUDIENCES": "chat", "JWT_ISSUER": "https://id.example.com", "JWT_VERIFY_EXPIRATION": "True",
			"JWT_USER_ID_CLAIM": "oid", "JWT_CLAIMS": "org, role", "JWT_GRANTS": "join,post:room.{claims.org}.* backend:publish", "SUMU_ORIGINS": "https://app.example.com, https://*.example.org",
		}, nil},
		{"an origin that is none", map[string]string{"JWT_ISSUER_JWKS_URI": cognito, "JWT_AUTHORIZED_AUDIENCES": "chat", "SUMU_ORIGINS": "https://app.example.com/"}, []string{"Origins[0]"}},
		{"grants that are none", map[string]string{"JWT_ISSUER_JWKS_URI": cognito, "JWT_AUTHORIZED_AUDIENCES": "chat", "JWT_GRANTS": "everything"}, []string{"JWT_GRANTS is not a list of grants"}},
		{"http", map[string]string{"JWT_ISSUER_JWKS_URI": "http://id.example.com/keys", "JWT_ISSUER": "x", "JWT_AUTHORIZED_AUDIENCES": "chat"}, []string{"https"}},
	} {
		_, err := newHandler(of(tt.vars), discard)
		if (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.name, err)
		}
		for _, want := range tt.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", tt.name, err, want)
			}
		}
	}
}
