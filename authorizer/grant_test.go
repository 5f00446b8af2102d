package authorizer_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func grants(g ...sumu.Grant) func(*authorizer.Options) {
	return func(o *authorizer.Options) { o.Grants = g }
}

func joins(patterns ...string) sumu.Grants {
	var g sumu.Grants
	for _, p := range patterns {
		g = append(g, sumu.Grant{Pattern: p, Verbs: []sumu.Verb{sumu.VerbJoin}})
	}
	return g
}

func TestGrantsAreCompiledFromClaims(t *testing.T) {
	iss := issuers["EdDSA"]()
	for _, tc := range []struct {
		name      string
		templates sumu.Grants
		changes   change
		want      sumu.Grants
	}{
		{"none", nil, nil, nil},
		{"text", joins("lobby", "news.*", "*", ""), nil, joins("lobby", "news.*", "*", "")},
		{"claim", joins("room.{claims.org}.*"), change{"org": "acme"}, joins("room.acme.*")},
		{"user", joins("user.{user}"), nil, joins("user.ann")},
		{"alone", joins("{user}"), nil, joins("ann")},
		{"both, twice", joins("{claims.org}.{user}.{claims.org}*"), change{"org": "acme"}, joins("acme.ann.acme*")},
		{"side by side", joins("{claims.org}{user}"), change{"org": "acme"}, joins("acmeann")},
		{"name with dots and slashes", joins("room.{claims.https://example.com/org}"), change{"https://example.com/org": "acme"}, joins("room.acme")},
		{"value that is plain", joins("room.{claims.org}"), change{"org": "a-B_9|x@y/é日"}, joins("room.a-B_9|x@y/é日")},
		{"value that looks like a placeholder's name", joins("room.{claims.org}"), change{"org": "user"}, joins("room.user")},
		{"claim of another case", joins("lobby", "room.{claims.Org}"), change{"org": "acme"}, joins("lobby")},
		{"several verbs", sumu.Grants{{Pattern: "r.{user}", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}}, nil, sumu.Grants{{Pattern: "r.ann", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}}},
	} {
		id, err := newAuthorizer(t, static(t, iss.JWKS()), grants(tc.templates...)).Verify(t.Context(), sign(t, iss, claims(tc.changes)))
		if err != nil || !reflect.DeepEqual(id.Grants, tc.want) {
			t.Errorf("%s: %v, %v, want %v", tc.name, id.Grants, err, tc.want)
		}
	}
}

// A claim that cannot name one thing takes its grant away, and nothing else.
func TestBadClaimVoidsItsGrant(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), grants(joins("{claims.dept}*", "room.{claims.dept}.*", "lobby", "u.{user}", "{claims.dept}-{user}", "{user}-{claims.dept}")...))
	for _, dept := range []any{
		nil, "", 7, true,
		[]string{"sales"},
		map[string]string{"a": "b"},
		"*", "a*", "a.b", ".", "{user}", "{", "}", "a{", " ", "a b", "a\tb", "a\nb", "a\u00a0b", "a\u2028b", "a\u200bb",
		"a\x00", "a\x7f", "a\u0085", "\ufffd", "a:b", "a,b", `a"b`, "a#b", "x join:*", "\u202ea",
	} {
		id, err := a.Verify(t.Context(), sign(t, iss, claims(change{"dept": dept})))
		if want := joins("lobby", "u.ann"); err != nil || !reflect.DeepEqual(id.Grants, want) {
			t.Errorf("%q: %v, %v, want %v", dept, id.Grants, err, want)
		}
	}
	for _, raw := range []string{`"dept":null`, `"dept":"a\ud800"`} {
		token, err := iss.SignRaw(nil, []byte(`{"iss":"`+testIssuer+`","aud":"chat","sub":"ann","exp":9999999999,`+raw+`}`))
		if err != nil {
			t.Fatal(err)
		}
		if id, err := a.Verify(t.Context(), token); err != nil || !reflect.DeepEqual(id.Grants, joins("lobby", "u.ann")) {
			t.Errorf("%s: %v, %v", raw, id.Grants, err)
		}
	}
	for _, user := range []string{"a.b", "*", "ann@example.com", "a b", "{user}", "a:b"} {
		id, err := a.Verify(t.Context(), sign(t, iss, claims(change{"dept": "sales", "sub": user})))
		if want := joins("sales*", "room.sales.*", "lobby"); err != nil || id.UserID != user || !reflect.DeepEqual(id.Grants, want) {
			t.Errorf("user %q: %v, %v, want %v", user, id.Grants, err, want)
		}
	}
}

// VerbBackend is allowed until a grant names it: a void grant still names it.
func TestVoidGrantDoesNotOpenTheBackend(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), grants(
		sumu.Grant{Pattern: "{claims.action}", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbBackend}}))
	for _, tc := range []struct {
		action        any
		publish, join bool
	}{{"publish", true, true}, {"send", false, false}, {nil, false, false}, {"*", false, false}, {"", false, false}} {
		id, err := a.Verify(t.Context(), sign(t, iss, claims(change{"action": tc.action})))
		if err != nil {
			t.Fatal(err)
		}
		if id.Grants.Allow(sumu.VerbBackend, "publish") != tc.publish || id.Grants.Allow(sumu.VerbJoin, "publish") != tc.join {
			t.Errorf("action %v: %v", tc.action, id.Grants)
		}
		var back sumu.Grants
		text, err := id.Grants.MarshalText()
		if err == nil {
			err = back.UnmarshalText(text)
		}
		if err != nil || back.Allow(sumu.VerbBackend, "publish") != tc.publish {
			t.Errorf("action %v: on the way %q became %v, %v", tc.action, text, back, err)
		}
	}
}

func TestGrantsAndClaimsAreBoundedTogether(t *testing.T) {
	iss := issuers["EdDSA"]()
	const textLen = len("join:room. post:lobby")
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Claims = []string{"a"}
		o.Grants = sumu.Grants{
			{Pattern: "room.{claims.org}", Verbs: []sumu.Verb{sumu.VerbJoin}},
			{Pattern: "lobby", Verbs: []sumu.Verb{sumu.VerbPost}},
		}
	})
	const org = 3000
	left := authorizer.MaxClaims - textLen - org - len("a")
	with := func(a, org int) string {
		return sign(t, iss, claims(change{"a": strings.Repeat("x", a), "org": strings.Repeat("y", org)}))
	}
	if id, err := a.Verify(t.Context(), with(left, org)); err != nil || len(id.Grants) != 2 || len(id.Claims["a"]) != left {
		t.Errorf("%d bytes: %v", authorizer.MaxClaims, err)
	}
	for _, token := range []string{with(left+1, org), with(left, org+1), with(0, authorizer.MaxClaims)} {
		id, err := a.Verify(t.Context(), token)
		if !errors.Is(err, authorizer.ErrClaims) || !errors.Is(err, sumu.ErrUnauthorized) || id.Grants != nil {
			t.Errorf("too many: %v", err)
		}
	}
}

func TestGrantTemplatesAreValidated(t *testing.T) {
	join := []sumu.Verb{sumu.VerbJoin}
	keys := static(t, issuers["EdDSA"]().JWKS())
	for _, g := range []sumu.Grant{
		{Pattern: "room.{", Verbs: join},
		{Pattern: "room.}", Verbs: join},
		{Pattern: "room.{user", Verbs: join},
		{Pattern: "room.user}", Verbs: join},
		{Pattern: "room.{}", Verbs: join},
		{Pattern: "room.{ user}", Verbs: join},
		{Pattern: "room.{User}", Verbs: join},
		{Pattern: "room.{org}", Verbs: join},
		{Pattern: "room.{claims}", Verbs: join},
		{Pattern: "room.{claims.}", Verbs: join},
		{Pattern: "room.{claim.org}", Verbs: join},
		{Pattern: "room.{{user}}", Verbs: join},
		{Pattern: "room.{claims.{user}}", Verbs: join},
		{Pattern: "*.{user}", Verbs: join},
		{Pattern: "room.**", Verbs: join},
		{Pattern: "room. x", Verbs: join},
		{Pattern: "room.{user}"},
		{Pattern: "room.{user}", Verbs: []sumu.Verb{"read"}},
	} {
		_, err := authorizer.New(keys, func(o *authorizer.Options) {
			o.Issuer, o.Audiences = testIssuer, []string{testAudience}
			o.Grants = sumu.Grants{{Pattern: "ok", Verbs: join}, g}
		})
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Grants[1]") {
			t.Errorf("%+v: %v", g, err)
		}
	}
}

// Identities do not share what one of them could change.
func TestGrantsOfIdentitiesAreTheirOwn(t *testing.T) {
	iss := issuers["EdDSA"]()
	templates := joins("lobby", "u.{user}")
	a := newAuthorizer(t, static(t, iss.JWKS()), grants(templates...))
	templates[0].Pattern, templates[0].Verbs[0] = "*", sumu.VerbPost
	first, err := a.Verify(t.Context(), sign(t, iss, claims()))
	if err != nil {
		t.Fatal(err)
	}
	first.Grants[0].Pattern = "*"
	first.Grants[0].Verbs[0] = sumu.VerbPost
	first.Grants[1].Verbs = append(first.Grants[1].Verbs, sumu.VerbPost)
	second, err := a.Verify(t.Context(), sign(t, iss, claims(change{"sub": "bob"})))
	if err != nil || !reflect.DeepEqual(second.Grants, joins("lobby", "u.bob")) {
		t.Errorf("%v, %v", second.Grants, err)
	}
}
