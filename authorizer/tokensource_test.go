package authorizer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestAuthorizeFindsToken(t *testing.T) {
	iss := issuers["EdDSA"]()
	ann, bob := sign(t, iss, claims()), sign(t, iss, claims(change{"sub": "bob"}))
	bad := ann[:len(ann)-8] + "AAAAAAAA"
	type values = map[string][]string
	for _, tc := range []struct {
		name          string
		query, header values
		user          string
		want          error
	}{
		{"nothing", nil, nil, "", authorizer.ErrNoToken},
		{"empty", values{"authorization": {""}}, values{"Authorization": {""}}, "", authorizer.ErrNoToken},
		{"query", values{"authorization": {ann}}, nil, "ann", nil},
		{"query with scheme", values{"authorization": {"Bearer " + ann}}, nil, "ann", nil},
		{"query in another case", values{"Authorization": {ann}}, nil, "", authorizer.ErrNoToken},
		{"header", nil, values{"Authorization": {ann}}, "ann", nil},
		{"header with spaces around", nil, values{"Authorization": {" " + ann + "\t"}}, "ann", nil},
		{"header with scheme", nil, values{"Authorization": {"Bearer " + ann}}, "ann", nil},
		{"scheme in another case", nil, values{"Authorization": {"bEARER   " + ann + " "}}, "ann", nil},
		{"header in lower case", nil, values{"authorization": {"Bearer " + ann}}, "ann", nil},
		{"scheme without token", nil, values{"Authorization": {"Bearer "}}, "", authorizer.ErrNoToken},
		{"scheme alone", nil, values{"Authorization": {"Bearer"}}, "", authorizer.ErrNoToken},
		{"another scheme", nil, values{"Authorization": {"Basic YW5uOmFubg=="}}, "", authorizer.ErrNoToken},
		{"sub-protocol", nil, values{"Sec-Websocket-Protocol": {"sumu, bearer." + ann}}, "ann", nil},
		{"sub-protocol on a line of its own", nil, values{"sec-websocket-protocol": {"sumu", "bearer." + ann}}, "ann", nil},
		{"sub-protocol without token", nil, values{"Sec-Websocket-Protocol": {"sumu, bearer."}}, "", authorizer.ErrNoToken},
		{"another scheme beside a sub-protocol", nil, values{"Authorization": {"Basic YW5uOmFubg=="}, "Sec-Websocket-Protocol": {"bearer." + ann}}, "ann", nil},
		{"the query comes first", values{"authorization": {ann}}, values{"Authorization": {bob}, "Sec-Websocket-Protocol": {"bearer." + bob}}, "ann", nil},
		{"the header comes second", nil, values{"Authorization": {ann}, "Sec-Websocket-Protocol": {"bearer." + bob}}, "ann", nil},
		{"the first value of several", values{"authorization": {"", ann, bob}}, nil, "ann", nil},
		{"a bad token is not passed over", values{"authorization": {bad}}, values{"Authorization": {ann}}, "", authorizer.ErrSignature},
		{"a bad value is not passed over", values{"authorization": {"x", ann}}, nil, "", authorizer.ErrMalformed},
	} {
		a := newAuthorizer(t, static(t, iss.JWKS()))
		r := &sumu.ConnectRequest{ConnectionID: "c1", Query: tc.query, Header: tc.header}
		id, err := a.Authorize(t.Context(), r)
		if id.UserID != tc.user || !errors.Is(err, tc.want) {
			t.Errorf("%s: %q, %v, want %q, %v", tc.name, id.UserID, err, tc.user, tc.want)
		}
		if err != nil {
			if !errors.Is(err, sumu.ErrUnauthorized) {
				t.Errorf("%s: %v is not unauthorized", tc.name, err)
			}
			requireSilent(t, err, ann, bad, "YW5uOmFubg==")
		}
	}
}

func TestSourcesAreAnOption(t *testing.T) {
	iss := issuers["EdDSA"]()
	ann, bob := sign(t, iss, claims()), sign(t, iss, claims(change{"sub": "bob"}))
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Sources = []authorizer.TokenSource{authorizer.FromHeader("X-Token"), authorizer.FromQuery("t")}
	})
	r := &sumu.ConnectRequest{
		Query:  map[string][]string{"authorization": {bob}, "t": {bob}},
		Header: map[string][]string{"x-token": {ann}},
	}
	if id, err := a.Authorize(t.Context(), r); id.UserID != "ann" || err != nil {
		t.Errorf("Authorize = %q, %v", id.UserID, err)
	}
	delete(r.Header, "x-token")
	if id, err := a.Authorize(t.Context(), r); id.UserID != "bob" || err != nil {
		t.Errorf("Authorize = %q, %v", id.UserID, err)
	}
	delete(r.Query, "t")
	if _, err := a.Authorize(t.Context(), r); !errors.Is(err, authorizer.ErrNoToken) {
		t.Errorf("Authorize = %v", err)
	}
}

func TestMaxTokenComesBeforeParsing(t *testing.T) {
	iss := issuers["EdDSA"]()
	token := sign(t, iss, claims())
	exact := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.MaxToken = len(token) })
	if _, err := exact.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	short := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.MaxToken = len(token) - 1 })
	if _, err := short.Verify(t.Context(), token); !errors.Is(err, authorizer.ErrTokenTooLong) {
		t.Error(err)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	_, err := authorizer.New(nil, func(o *authorizer.Options) {
		o.Audiences = []string{""}
		o.Skew = 6 * time.Minute
		o.Claims = []string{""}
		o.Sources = []authorizer.TokenSource{{}, authorizer.FromQuery("")}
		o.MaxToken = -1
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Fatalf("New = %v", err)
	}
	for _, want := range []string{
		"KeySource", "Issuer is empty", "Audiences has", "Skew", "Claims", "Sources[0]", "Sources[1]", "MaxToken",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
	keys := static(t, issuers["EdDSA"]().JWKS())
	for name, fn := range map[string]func(*authorizer.Options){
		"no audience":    func(o *authorizer.Options) { o.Audiences = nil },
		"both issuers":   func(o *authorizer.Options) { o.InsecureAnyIssuer = true },
		"both audiences": func(o *authorizer.Options) { o.InsecureAnyAudience = true },
		"no source":      func(o *authorizer.Options) { o.Sources = []authorizer.TokenSource{} },
		"huge tokens":    func(o *authorizer.Options) { o.MaxToken = 1<<20 + 1 },
	} {
		good := func(o *authorizer.Options) { o.Issuer, o.Audiences = testIssuer, []string{testAudience} }
		if _, err := authorizer.New(keys, good); err != nil {
			t.Fatal(err)
		}
		if a, err := authorizer.New(keys, good, fn); !errors.Is(err, sumu.ErrInvalid) || a != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What New was given may be changed afterwards.
func TestOptionsAreCopied(t *testing.T) {
	iss := issuers["EdDSA"]()
	audiences, wanted := []string{testAudience}, []string{"org"}
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.Audiences, o.Claims = audiences, wanted })
	audiences[0], wanted[0] = "x", "x"
	id, err := a.Verify(t.Context(), sign(t, iss, claims(change{"org": "acme"})))
	if err != nil || id.Claims["org"] != "acme" {
		t.Errorf("Verify = %v, %v", id, err)
	}
}
