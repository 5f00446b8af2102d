package authorizer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestIssuedAt(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()))
	for _, tc := range []struct {
		iat  any
		want time.Time
	}{
		{testNow.Unix(), testNow},
		{float64(testNow.Unix()) - 0.5, testNow.Add(-time.Second / 2)},
		{nil, time.Time{}},
	} {
		id, err := a.Verify(t.Context(), sign(t, iss, claims(change{"iat": tc.iat})))
		if err != nil || !id.IssuedAt.Equal(tc.want) {
			t.Errorf("iat %v: %v, %v, want %v", tc.iat, id.IssuedAt, err, tc.want)
		}
	}
}

func TestRequiredClaims(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Require = map[string][]string{"token_use": {"id", "access"}, "email_verified": {"true"}}
	})
	for _, tc := range []struct {
		use, verified any
		ok            bool
	}{
		{"id", true, true},
		{"access", "true", true},
		{"refresh", true, false},
		{nil, true, false},
		{"", true, false},
		{"ID", true, false},
		{[]string{"id"}, true, false},
		{7, true, false},
		{"id", false, false},
		{"id", nil, false},
		{"id", []bool{true}, false},
	} {
		_, err := a.Verify(t.Context(), sign(t, iss, claims(change{"token_use": tc.use, "email_verified": tc.verified})))
		if (err == nil) != tc.ok || err != nil && (!errors.Is(err, authorizer.ErrClaims) || !errors.Is(err, sumu.ErrUnauthorized)) {
			t.Errorf("%v, %v: %v", tc.use, tc.verified, err)
		}
	}
}

func TestAudienceClaims(t *testing.T) {
	iss := issuers["EdDSA"]()
	for _, tc := range []struct {
		claims []string
		change change
		want   error
	}{
		{[]string{"client_id"}, change{"client_id": testAudience, "aud": nil}, nil},
		{[]string{"client_id"}, nil, authorizer.ErrAudience},
		{[]string{"aud", "azp"}, change{"aud": "account", "azp": testAudience}, nil},
		{[]string{"aud", "azp"}, change{"azp": "other"}, nil},
		{[]string{"aud", "azp"}, change{"aud": "account", "azp": "other"}, authorizer.ErrAudience},
		{[]string{"aud", "azp"}, change{"aud": nil}, authorizer.ErrAudience},
		{[]string{"aud", "azp"}, change{"azp": 7}, authorizer.ErrClaims},
		{nil, change{"aud": "account", "azp": testAudience}, authorizer.ErrAudience},
	} {
		a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.AudienceClaims = tc.claims })
		if _, err := a.Verify(t.Context(), sign(t, iss, claims(tc.change))); !errors.Is(err, tc.want) {
			t.Errorf("%v of %v: %v, want %v", tc.claims, tc.change, err, tc.want)
		}
	}
}

func TestFurtherIssuers(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.Issuers = []string{"accounts.example.com"} })
	only := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.Issuer, o.Issuers = "", []string{"accounts.example.com"} })
	for _, tc := range []struct {
		a    *authorizer.Authorizer
		iss  any
		want error
	}{
		{a, testIssuer, nil},
		{a, "accounts.example.com", nil},
		{a, "x", authorizer.ErrIssuer},
		{a, "", authorizer.ErrIssuer},
		{a, nil, authorizer.ErrIssuer},
		{only, "accounts.example.com", nil},
		{only, testIssuer, authorizer.ErrIssuer},
		{only, "", authorizer.ErrIssuer},
		{only, nil, authorizer.ErrIssuer},
	} {
		if _, err := tc.a.Verify(t.Context(), sign(t, iss, claims(change{"iss": tc.iss}))); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v, want %v", tc.iss, err, tc.want)
		}
	}
}

func TestNewRefusesBadOptionsOfClaims(t *testing.T) {
	keys := static(t, issuers["EdDSA"]().JWKS())
	for name, fn := range map[string]func(*authorizer.Options){
		"Issuers has":      func(o *authorizer.Options) { o.Issuers = []string{""} },
		"both set":         func(o *authorizer.Options) { o.Issuer, o.Issuers, o.InsecureAnyIssuer = "", []string{"x"}, true },
		"AudienceClaims":   func(o *authorizer.Options) { o.AudienceClaims = []string{""} },
		"AudienceClaims i": func(o *authorizer.Options) { o.AudienceClaims = []string{} },
		`Require["x"]`:     func(o *authorizer.Options) { o.Require = map[string][]string{"x": nil} },
		`Require[""]`:      func(o *authorizer.Options) { o.Require = map[string][]string{"": {"x"}} },
	} {
		_, err := authorizer.New(keys, func(o *authorizer.Options) { o.Issuer, o.Audiences = testIssuer, []string{testAudience} }, fn)
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
