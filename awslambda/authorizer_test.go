package awslambda_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/internal/issuer"
)

const methodARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/default/$connect"

// authEvent is the event that API Gateway's documentation shows, with changes.
func authEvent(change func(e map[string]any)) []byte {
	var e map[string]any
	err := json.Unmarshal([]byte(`{"type":"REQUEST","methodArn":"`+methodARN+`",
	"headers":{"Host":"abcdef123.execute-api.us-east-1.amazonaws.com","Sec-WebSocket-Key":"x","Sec-WebSocket-Version":"13"},
	"multiValueHeaders":{"Host":["abcdef123.execute-api.us-east-1.amazonaws.com"]},
	"queryStringParameters":{"k":"v"},"multiValueQueryStringParameters":{"k":["v"]},"stageVariables":{},
	"requestContext":{"routeKey":"$connect","eventType":"CONNECT","extendedRequestId":"x","requestTime":"19/Jan/2023:21:13:26 +0000",
	"messageDirection":"IN","stage":"default","connectedAt":1674162806344,"requestTimeEpoch":1674162806345,
	"identity":{"sourceIp":"192.0.2.1"},"requestId":"req1","domainName":"abcdef123.execute-api.us-east-1.amazonaws.com",
	"connectionId":"c1=","apiId":"abcdef123"}}`), &e)
	if err != nil {
		panic(err)
	}
	if change != nil {
		change(e)
	}
	return []byte(jsonText(e))
}

// tokens is the real authorizer, and what signs for it.
func tokens(t testing.TB, optFns ...func(*authorizer.Options)) (sumu.Authorizer, func(more map[string]any) string) {
	t.Helper()
	iss := must(issuer.New("ES256"))
	keys := must(authorizer.StaticKeys(iss.JWKS()))
	auth := must(authorizer.New(keys, append([]func(*authorizer.Options){func(o *authorizer.Options) {
		o.Issuer, o.Audiences = "https://id.test", []string{"chat"}
		o.Claims = []string{"org", "https://id.test/role"}
		o.Grants = sumu.Grants{{Pattern: "room.{claims.org}.*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}}
	}}, optFns...)...))
	return auth, func(more map[string]any) string {
		claims := map[string]any{
			"iss": "https://id.test", "aud": "chat", "sub": "ann", "org": "acme", "https://id.test/role": "admin",
			"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		}
		maps.Copy(claims, more)
		return must(iss.Sign(claims))
	}
}

func TestAuthorizerAllowsExactlyTheMethod(t *testing.T) {
	auth, sign := tokens(t)
	token := sign(nil)
	places := map[string]func(e map[string]any){
		"query": func(e map[string]any) { e["queryStringParameters"] = map[string]string{"authorization": token} },
		"multi query": func(e map[string]any) {
			e["multiValueQueryStringParameters"] = map[string][]string{"authorization": {token}}
		},
		"header":     func(e map[string]any) { e["headers"] = map[string]string{"Authorization": "Bearer " + token} },
		"lower case": func(e map[string]any) { e["headers"] = map[string]string{"authorization": token} },
		"upper case": func(e map[string]any) { e["multiValueHeaders"] = map[string][]string{"AUTHORIZATION": {token}} },
		"sub-protocol": func(e map[string]any) {
			e["headers"] = map[string]string{"Sec-WebSocket-Protocol": "sumu, bearer." + token}
		},
		"nothing else": func(e map[string]any) {
			e["headers"] = map[string]string{"Authorization": token}
			for _, name := range []string{"multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "stageVariables"} {
				e[name] = nil
			}
		},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			h := must(awslambda.NewAuthorizer(auth))
			out := call[map[string]any](t, h, authEvent(place))
			if got := out["principalId"]; got != "ann" {
				t.Errorf("principal is %v", got)
			}
			doc, want := out["policyDocument"], map[string]any{
				"Version": "2012-10-17",
				"Statement": []any{map[string]any{
					"Action": []any{"execute-api:Invoke"}, "Effect": "Allow", "Resource": []any{methodARN},
				}},
			}
			if jsonText(doc) != jsonText(want) {
				t.Errorf("policy is %s, want %s", jsonText(doc), jsonText(want))
			}
			members := out["context"].(map[string]any)
			for name, want := range map[string]any{
				"user_id": "ann", "grants": "join,post:room.acme.*", "claim_org": "acme", "claim_https://id.test/role": "admin",
			} {
				if members[name] != want {
					t.Errorf("context[%s] is %v, want %v", name, members[name], want)
				}
			}
			for _, name := range []string{"expires_at", "issued_at"} {
				if _, ok := members[name].(float64); !ok {
					t.Errorf("context[%s] is %v, want a number", name, members[name])
				}
			}
			for name, v := range members {
				switch v.(type) {
				case string, float64, bool:
				default:
					t.Errorf("context[%s] is a %T: API Gateway answers 500", name, v)
				}
			}
		})
	}
}

// Defect: "null query string -> exception -> 500".
func TestDefectNullQueryString(t *testing.T) {
	auth, _ := tokens(t)
	h := must(awslambda.NewAuthorizer(auth))
	events := map[string][]byte{
		"null": authEvent(func(e map[string]any) {
			e["queryStringParameters"], e["multiValueQueryStringParameters"] = nil, nil
			e["headers"], e["multiValueHeaders"] = nil, nil
		}),
		"absent": authEvent(func(e map[string]any) {
			for _, name := range []string{"queryStringParameters", "multiValueQueryStringParameters", "headers", "multiValueHeaders"} {
				delete(e, name)
			}
		}),
		"empty": authEvent(func(e map[string]any) { e["queryStringParameters"] = map[string]string{"authorization": ""} }),
	}
	for name, event := range events {
		if out, err := h.Invoke(t.Context(), event); err == nil || err.Error() != "Unauthorized" {
			t.Errorf("%s: got %s, %v; API Gateway makes 401 of the text Unauthorized alone", name, out, err)
		}
	}
}

// Defect: "aud list denied; … no iss/nbf", as far as it can be seen from Lambda.
func TestDefectAudienceListDenied(t *testing.T) {
	auth, sign := tokens(t)
	h := must(awslambda.NewAuthorizer(auth))
	outcome := func(claims map[string]any) string {
		event := authEvent(func(e map[string]any) { e["headers"] = map[string]string{"Authorization": sign(claims)} })
		out, err := h.Invoke(t.Context(), event)
		switch {
		case err != nil:
			return err.Error()
		case strings.Contains(string(out), `"Effect":"Allow"`):
			return "Allow"
		case strings.Contains(string(out), `"Effect":"Deny"`):
			return "Deny"
		}
		return string(out)
	}
	for _, tt := range []struct {
		name   string
		claims map[string]any
		want   string
	}{
		{"aud is a list that names us", map[string]any{"aud": []string{"other", "chat"}}, "Allow"},
		{"aud names others only", map[string]any{"aud": []string{"other"}}, "Deny"},
		{"another issuer", map[string]any{"iss": "https://evil.test"}, "Unauthorized"},
		{"not yet valid", map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}, "Unauthorized"},
		{"expired", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, "Unauthorized"},
		{"no expiry", map[string]any{"exp": nil}, "Unauthorized"},
	} {
		if got := outcome(tt.claims); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// The typed method is for who wraps it.
func TestAuthorizerHandle(t *testing.T) {
	h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		if r.ConnectionID != "c1=" || r.SourceIP != "192.0.2.1" {
			t.Errorf("request is %v", r)
		}
		return sumu.Identity{UserID: "ann"}, nil
	})))
	var r awslambda.AuthorizerRequest
	if err := json.Unmarshal(authEvent(nil), &r); err != nil {
		t.Fatal(err)
	}
	var out events.APIGatewayCustomAuthorizerResponse
	out, err := h.Handle(t.Context(), r)
	if err != nil || out.PrincipalID != "ann" {
		t.Errorf("got %+v, %v", out, err)
	}
}
