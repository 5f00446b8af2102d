package serverless_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/issuer"
)

func TestAuthorizerFunction(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary; run without -short")
	}
	iss, err := issuer.New("RS256")
	if err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewServer(iss)
	defer provider.Close()
	logs, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	f := start(t, "authorizer", logs, "JWT_ISSUER_JWKS_URI="+provider.URL+issuer.Path, "JWT_ISSUER="+provider.URL,
		"JWT_AUTHORIZED_AUDIENCES=mail, chat", "JWT_CLAIMS=org", "JWT_GRANTS=join:room.{claims.org}.*")

	event := func(query string) string {
		return `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:123456789012:abc/prod/$connect","queryStringParameters":` + query +
			`,"requestContext":{"connectionId":"c1=","requestId":"r1","eventType":"CONNECT"}}`
	}
	token, err := iss.Sign(map[string]any{
		"iss": provider.URL, "aud": []string{"chat"}, "sub": "ann", "org": "acme", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := iss.Sign(map[string]any{"iss": provider.URL, "aud": "bank", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // Cold, and warm.
		answer, failed := f.invoke(event(`{"authorization":"` + token + `"}`))
		var policy struct {
			PrincipalID string         `json:"principalId"`
			Context     map[string]any `json:"context"`
		}
		if err := json.Unmarshal([]byte(answer), &policy); err != nil || policy.PrincipalID != "ann" || policy.Context["grants"] != "join:room.acme.*" {
			t.Fatalf("a token: %s %s", answer, failed)
		}
	}
	if answer, failed := f.invoke(event(`null`)); failed != "Unauthorized" {
		t.Errorf("no token: %s %q; API Gateway makes 401 of exactly Unauthorized", answer, failed)
	}
	if answer, failed := f.invoke(event(`{"authorization":"` + token + `x"}`)); failed != "Unauthorized" {
		t.Errorf("a bad token: %s %q", answer, failed)
	}
	if answer, failed := f.invoke(event(`{"authorization":"` + foreign + `"}`)); !strings.Contains(answer, `"Effect":"Deny"`) {
		t.Errorf("a token for another audience: %s %q", answer, failed)
	}
	if answer, failed := f.invoke(`{"hello":"world"}`); !strings.Contains(failed, "no known kind") {
		t.Errorf("another event: %s %q", answer, failed)
	}
	text, err := os.ReadFile(logs.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "connection refused") || !strings.Contains(string(text), `"connection_id":"c1="`) {
		t.Errorf("the log is %s", text)
	}
	for part := range strings.SplitSeq(token+"."+foreign, ".") {
		if strings.Contains(string(text), part) {
			t.Errorf("a token is in the log: %s", text)
		}
	}
}
