package awslambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
)

func TestAuthorizerTellsFaultsFromRefusals(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string // the error's text; "": a policy that denies
	}{
		{"unauthorized", fmt.Errorf("verify: %w", sumu.ErrUnauthorized), "Unauthorized"},
		{"forbidden", &sumu.Error{Op: "origin", Kind: sumu.ErrForbidden}, ""},
		{"unavailable", &sumu.Error{Op: "keys", Kind: sumu.ErrUnavailable}, "authorize: keys: unavailable"},
		{"a table that refuses us", &sumu.Error{Op: "ticket", Kind: sumu.ErrUnavailable, Err: sumu.ErrForbidden}, "authorize: ticket: unavailable: forbidden"},
		{"unknown", errors.New("boom"), "authorize: boom"},
	} {
		h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{}, tt.err
		})))
		out, err := h.Invoke(t.Context(), authEvent(nil))
		switch {
		case tt.want == "" && (err != nil || !strings.Contains(string(out), `"Effect":"Deny","Resource":["`+methodARN+`"]`)):
			t.Errorf("%s: got %s, %v; want a policy that denies", tt.name, out, err)
		case tt.want != "" && (err == nil || err.Error() != tt.want):
			t.Errorf("%s: got %s, %v; want %q", tt.name, out, err, tt.want)
		}
	}
}

func TestAuthorizerRefusesWhatDoesNotFit(t *testing.T) {
	identity := sumu.Identity{UserID: "ann", Claims: map[string]string{"org": ""}}
	h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return identity, nil
	})))
	size := func() int {
		out, err := h.Invoke(t.Context(), authEvent(nil))
		if err != nil {
			t.Fatal(err)
		}
		return len(out)
	}
	identity.Claims["org"] = strings.Repeat("x", awslambda.MaxAuthorizerResult-size())
	if got := size(); got != awslambda.MaxAuthorizerResult {
		t.Fatalf("the largest result has %d bytes", got)
	}
	identity.Claims["org"] += "x"
	if out, err := h.Invoke(t.Context(), authEvent(nil)); !errors.Is(err, sumu.ErrTooLarge) || err.Error() == "Unauthorized" {
		t.Errorf("one byte more: got %d bytes, %v; want ErrTooLarge", len(out), err)
	}
	identity = sumu.Identity{}
	if _, err := h.Invoke(t.Context(), authEvent(nil)); err == nil || err.Error() != "Unauthorized" {
		t.Errorf("an identity without a user: %v", err)
	}
	identity = sumu.Identity{UserID: "ann", Grants: sumu.Grants{{Pattern: "a b", Verbs: []sumu.Verb{sumu.VerbJoin}}}}
	if _, err := h.Invoke(t.Context(), authEvent(nil)); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("grants that are none: %v", err)
	}
}

// Defect: "principalId unescaped in the mapping template": whatever the user id
// holds, it comes back as it was.
func TestDefectPrincipalUnescaped(t *testing.T) {
	for _, user := range []string{`ann"},"x":{"y":"`, `a\b`, "<&>", "änn", strings.Repeat("u", sumu.MaxUserID)} {
		h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{UserID: user}, nil
		})))
		policy := call[events.APIGatewayCustomAuthorizerResponse](t, h, authEvent(nil))
		store, _, ws := behind(t)
		call[events.APIGatewayProxyResponse](t, ws, socketEvent("CONNECT", func(_, rc map[string]any) { rc["authorizer"] = policy.Context }))
		if live, err := store.HasLive(t.Context(), user); !live || policy.PrincipalID != user {
			t.Errorf("%.20q became %.20q: %v", user, policy.PrincipalID, err)
		}
	}
}

// Cross-site hijacking: the cookie comes along whatever page opens the connection.
func TestAuthorizerRefusesAForeignPageWithACookie(t *testing.T) {
	h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	})))
	policy := call[events.APIGatewayCustomAuthorizerResponse](t, h, authEvent(func(e map[string]any) {
		e["headers"] = map[string]any{"Cookie": "session=1", "Origin": "https://evil.example"}
	}))
	if policy.PolicyDocument.Statement[0].Effect != "Deny" || policy.PrincipalID != "denied" {
		t.Errorf("let in: %+v", policy)
	}
}

// One that no queue takes is nobody's.
func TestAuthorizerRefusesOddUserIDs(t *testing.T) {
	for _, user := range []string{"", "a\tb", "a\u2028c", "a\u202ec", "a\uffff", " ann", "ann\u00a0", "a\xff", strings.Repeat("u", sumu.MaxUserID+1)} {
		h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{UserID: user}, nil
		})))
		if out, err := h.Invoke(t.Context(), authEvent(nil)); err == nil || err.Error() != "Unauthorized" {
			t.Errorf("%.20q: %s, %v", user, out, err)
		}
	}
}

func TestAuthorizerRefusesAMethodThatIsAPattern(t *testing.T) {
	h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	})))
	for _, arn := range []string{
		"*", "arn:aws:execute-api:us-east-1:1:api/*", "arn:aws:execute-api:us-east-1:1:api/prod/$connec?",
		"arn:aws:execute-api:us-east-1:1:api/${aws:username}", "arn:" + strings.Repeat("x", 512),
	} {
		out, err := h.Invoke(t.Context(), authEvent(func(e map[string]any) { e["methodArn"] = arn }))
		if !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%.60s: got %s, %v", arn, out, err)
		}
	}
}

func TestAuthorizerSurvivesAPanic(t *testing.T) {
	log, text := logged()
	h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		panic("token was " + r.Query["authorization"][0])
	}), func(o *awslambda.AuthorizerOptions) { o.Logger = log }))
	event := authEvent(func(e map[string]any) {
		e["queryStringParameters"] = map[string]string{"authorization": "s3cr3t-s3cr3t"}
	})
	_, err := h.Invoke(t.Context(), event)
	if !errors.Is(err, sumu.ErrUnavailable) || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("got %v", err)
	}
	if got := text.String(); !strings.Contains(got, "panic of type string") || !strings.Contains(got, "TestAuthorizerSurvivesAPanic") || strings.Contains(got, "s3cr3t") {
		t.Errorf("log is %s", got)
	}
}

// Defect: "token and event printed to the log".
func TestDefectTokenInTheLog(t *testing.T) {
	_, sign := tokens(t)
	token := sign(nil)
	log, text := logged()
	// An authorizer of somebody else, which is not careful.
	careless := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, fmt.Errorf("cannot verify %q, %q of %v: %w", r.Query["authorization"], r.HeaderValues("cookie"), r, sumu.ErrUnauthorized)
	})
	h := must(awslambda.NewAuthorizer(careless, func(o *awslambda.AuthorizerOptions) { o.Logger = log }))
	event := authEvent(func(e map[string]any) {
		e["queryStringParameters"] = map[string]string{"authorization": token, "ticket": "opaque-secret"}
		e["headers"] = map[string]string{"Cookie": "session=abcdefgh1234"}
	})
	if _, err := h.Invoke(t.Context(), event); err == nil || err.Error() != "Unauthorized" {
		t.Fatal(err)
	}
	var r awslambda.AuthorizerRequest
	if err := json.Unmarshal(event, &r); err != nil {
		t.Fatal(err)
	}
	log.Info("event", "event", r, "pointer", &r, "text", fmt.Sprintf("%v %+v %#v %s", r, r, r, &r))
	slog.New(slog.NewJSONHandler(text, nil)).Info("event", "event", r)
	got := text.String()
	if !strings.Contains(got, "cannot verify") || !strings.Contains(got, "[redacted]") || !strings.Contains(got, "connection_id") {
		t.Fatalf("the cause is not in the log: %s", got)
	}
	secrets := append(strings.Split(token, "."), "opaque-secret", "abcdefgh1234")
	if i := slices.IndexFunc(secrets, func(s string) bool { return strings.Contains(got, s) }); i >= 0 {
		t.Errorf("the log has %q: %s", secrets[i], got)
	}
}

func TestNewAuthorizerNeedsOne(t *testing.T) {
	if _, err := awslambda.NewAuthorizer(nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
