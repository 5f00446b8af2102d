package awslambda_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
)

func byCookie(o *authorizer.Options) {
	o.Sources = []authorizer.TokenSource{authorizer.FromCookie("__Host-session")}
}

// No page has the host of an endpoint here: what goes by cookies needs a list.
func TestCookiesNeedOrigins(t *testing.T) {
	cookies, _ := tokens(t, byCookie)
	first := authorizer.First(cookies)
	for name, auth := range map[string]sumu.Authorizer{"authorizer": cookies, "one of several": first} {
		if _, err := awslambda.NewAuthorizer(auth); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Origins") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := awslambda.NewWebSocket(must(sumu.NewApp(auth, new(memstore.Store)))); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Origins") {
			t.Errorf("%s of an App: %v", name, err)
		}
		for _, list := range []string{"https://app.example.com", "*"} {
			if _, err := awslambda.NewAuthorizer(auth, func(o *awslambda.AuthorizerOptions) { o.Origins = []string{list} }); err != nil {
				t.Errorf("%s with %s: %v", name, list, err)
			}
			app := must(sumu.NewApp(auth, new(memstore.Store), func(o *sumu.AppOptions) { o.Origins = []string{list} }))
			if _, err := awslambda.NewWebSocket(app); err != nil {
				t.Errorf("%s of an App with %s: %v", name, list, err)
			}
		}
	}
	if _, err := awslambda.NewAuthorizer(cookies, func(o *awslambda.AuthorizerOptions) { o.Origins = []string{"https://app.example.com/"} }); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Origins[0]") {
		t.Errorf("a bad list: %v", err)
	}
}

// The same answers by the authorizer of an API and by an App that verifies tokens
// itself.
func TestOrigins(t *testing.T) {
	auth, sign := tokens(t)
	cookies, signCookie := tokens(t, byCookie)
	own := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	})
	query, session := map[string]any{"authorization": sign(nil)}, "__Host-session="+signCookie(nil)
	type header = map[string]any
	const app, evil = "https://app.example.com", "https://evil.example"
	for _, tt := range []struct {
		name   string
		auth   sumu.Authorizer
		list   []string
		header header
		query  map[string]any
		ok     bool
	}{
		{"token, any page", auth, nil, header{"Origin": evil}, query, true},
		{"token, any page, with a cookie of another use", auth, nil, header{"Origin": evil, "Cookie": "a=1"}, query, true},
		{"token, no browser", auth, nil, nil, query, true},
		{"token, a page that is listed", auth, []string{app}, header{"origin": app}, query, true},
		{"token, another page", auth, []string{app}, header{"origin": evil}, query, false},
		{"token, no browser, a list", auth, []string{app}, nil, query, true},
		{"cookie, a page that is listed", cookies, []string{app}, header{"Origin": app, "Cookie": session}, nil, true},
		{"cookie, another page", cookies, []string{app}, header{"Origin": evil, "Cookie": session}, nil, false},
		{"cookie, no browser", cookies, []string{app}, header{"Cookie": session}, nil, true},
		{"cookie, every page", cookies, []string{"*"}, header{"Origin": evil, "Cookie": session}, nil, true},
		{"own, a page with a cookie", own, nil, header{"Origin": evil, "Cookie": "session=1"}, nil, false},
		{"own, a page with a password", own, nil, header{"Origin": evil, "authorization": "Basic YTpi"}, nil, false},
		{"own, a page without", own, nil, header{"Origin": evil}, nil, true},
		{"own, a list of origins", own, []string{app}, header{"Origin": app + ", " + evil}, nil, false},
	} {
		h := must(awslambda.NewAuthorizer(tt.auth, func(o *awslambda.AuthorizerOptions) { o.Origins = tt.list }))
		policy := call[events.APIGatewayCustomAuthorizerResponse](t, h, authEvent(func(e map[string]any) {
			e["headers"], e["queryStringParameters"] = tt.header, tt.query
			e["multiValueHeaders"], e["multiValueQueryStringParameters"] = nil, nil
		}))
		if effect := policy.PolicyDocument.Statement[0].Effect; (effect == "Allow") != tt.ok {
			t.Errorf("%s: the authorizer says %s", tt.name, effect)
		}
		sockets := must(awslambda.NewWebSocket(
			must(sumu.NewApp(tt.auth, new(memstore.Store), func(o *sumu.AppOptions) { o.Origins = tt.list })),
			func(o *awslambda.WebSocketOptions) { o.Identities = new(memstore.Store) },
		))
		got := call[events.APIGatewayProxyResponse](t, sockets, socketEvent("CONNECT", func(e, _ map[string]any) {
			e["headers"], e["queryStringParameters"] = tt.header, tt.query
		}))
		if want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[tt.ok]; got.StatusCode != want {
			t.Errorf("%s: $connect is answered with %d, want %d", tt.name, got.StatusCode, want)
		}
	}
}

// Two lines of Origin come as a list of values.
func TestTwoOrigins(t *testing.T) {
	h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	}), func(o *awslambda.AuthorizerOptions) { o.Origins = []string{"https://app.example.com"} }))
	policy := call[events.APIGatewayCustomAuthorizerResponse](t, h, authEvent(func(e map[string]any) {
		e["headers"] = map[string]any{"Origin": "https://app.example.com"}
		e["multiValueHeaders"] = map[string]any{"Origin": []string{"https://evil.example", "https://app.example.com"}}
	}))
	if policy.PolicyDocument.Statement[0].Effect != "Deny" {
		t.Errorf("let in: %+v", policy)
	}
}

// Behind an authorizer the App does not look again: its host is the API's.
func TestOriginBehindAnAuthorizer(t *testing.T) {
	_, _, sockets := behind(t)
	got := call[events.APIGatewayProxyResponse](t, sockets, socketEvent("CONNECT", func(e, rc map[string]any) {
		asAnn(e, rc)
		e["headers"] = map[string]any{"Origin": "https://app.example.com", "Cookie": "a=1"}
	}))
	if got.StatusCode != http.StatusOK {
		t.Errorf("%+v", got)
	}
}

// What comes by AWS's endpoints has come by https.
func TestHTTPIsOverTLS(t *testing.T) {
	h := must(awslambda.NewHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			w.WriteHeader(http.StatusTeapot)
		}
	})))
	if got := call[httpAnswer](t, h, []byte(request)); got.StatusCode != http.StatusOK {
		t.Errorf("%+v", got)
	}
}
