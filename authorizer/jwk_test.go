package authorizer_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

// Providers write optional members that have no value as null, "" or [].
func TestEmptyOptionalMembersAreAbsent(t *testing.T) {
	rs, es, ed := issuers["RS256"](), issuers["ES256"](), issuers["EdDSA"]()
	absent := []any{nil, "", []any{}}
	for _, name := range []string{
		"d", "p", "q", "dp", "dq", "qi", "oth", "k", "use", "key_ops", "alg", "x5c", "x5u", "x5t", "x5t#S256", "ext",
	} {
		for _, v := range absent {
			for alg, iss := range map[string]interface {
				KeyID() string
				JWKS() []byte
			}{"RS256": rs, "ES256": es, "EdDSA": ed} {
				doc := withMember(t, firstKey(t, issuers[alg]()), name, v)
				src, err := authorizer.StaticKeys(doc)
				if err != nil {
					t.Errorf("%s with %s: %v: %v", alg, name, v, err)
					continue
				}
				if got := keyIDs(t, src, ""); !slices.Equal(got, []string{iss.KeyID()}) {
					t.Errorf("%s with %s: %v: keys = %v", alg, name, v, got)
				}
				if _, err := newAuthorizer(t, src).Verify(t.Context(), sign(t, issuers[alg](), claims())); err != nil {
					t.Errorf("%s with %s: %v: %v", alg, name, v, err)
				}
			}
		}
	}
	// Members of other key types, and a key id that is none.
	for _, tc := range []struct {
		alg, name string
	}{{"RS256", "crv"}, {"RS256", "x"}, {"RS256", "y"}, {"ES256", "n"}, {"ES256", "e"}, {"EdDSA", "y"}, {"EdDSA", "n"}, {"RS256", "kid"}} {
		for _, v := range absent {
			src, err := authorizer.StaticKeys(withMember(t, firstKey(t, issuers[tc.alg]()), tc.name, v))
			if err != nil {
				t.Errorf("%s with %s: %v: %v", tc.alg, tc.name, v, err)
				continue
			}
			if _, err := newAuthorizer(t, src).Verify(t.Context(), sign(t, issuers[tc.alg](), claims())); err != nil {
				t.Errorf("%s with %s: %v: %v", tc.alg, tc.name, v, err)
			}
		}
	}
}

// What holds something counts, whatever it is.
func TestPrivateMembersAreRefused(t *testing.T) {
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		for _, v := range []any{"AQ", " ", 0, false, true, []any{""}, []any{nil}, map[string]any{}} {
			doc := withMember(t, firstKey(t, issuers["RS256"]()), name, v)
			if src, err := authorizer.StaticKeys(doc); src != nil || !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("%s: %v: %v, %v, want invalid", name, v, src, err)
			}
		}
	}
	for name, v := range map[string]any{"use": "enc", "key_ops": []string{"sign"}, "alg": 5, "kid": []string{"k"}} {
		doc := withMember(t, firstKey(t, issuers["RS256"]()), name, v)
		if src, err := authorizer.StaticKeys(doc); src != nil || !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s: %v: %v, %v, want invalid", name, v, src, err)
		}
	}
}

// A member that is missing, or that holds nothing, makes no key.
func TestEmptyRequiredMembersAreRefused(t *testing.T) {
	for alg, names := range map[string][]string{"RS256": {"kty", "n", "e"}, "ES256": {"kty", "crv", "x", "y"}, "EdDSA": {"kty", "crv", "x"}} {
		for _, name := range names {
			for _, v := range []any{nil, "", []any{}} {
				doc := withMember(t, firstKey(t, issuers[alg]()), name, v)
				if src, err := authorizer.StaticKeys(doc); src != nil || !errors.Is(err, sumu.ErrInvalid) {
					t.Errorf("%s without %s: %v, %v, want invalid", alg, name, src, err)
				}
			}
		}
	}
}

// Half of a text, or bytes that are none, cost the key that has them.
func TestKeyOfBrokenTextCostsOnlyItself(t *testing.T) {
	es := issuers["ES256"]()
	good := string(jwkWith(t, es, nil))
	for _, bad := range []string{`{"kty":"EC","kid":"a` + "\xff" + `"}`, `{"kty":"EC","kid":"\ud800"}`, "\"\xc0\xaf\""} {
		src := static(t, []byte(`{"keys":[`+bad+`,`+good+`]}`))
		if got := keyIDs(t, src, ""); !slices.Equal(got, []string{es.KeyID()}) {
			t.Errorf("%q: keys = %v", bad, got)
		}
	}
	cert := certOf(t, certificates(t, es, testNow, testNow))
	doc := append([]byte("{\"a\xff\":\"x\",\"b\":\"\xff\","), certMap(t, es.KeyID(), cert)[1:]...)
	if got := keyIDs(t, static(t, doc), ""); !slices.Equal(got, []string{es.KeyID()}) {
		t.Errorf("certificates: keys = %v", got)
	}
}

// A byte order mark stands before what some servers and editors write.
func TestByteOrderMarkIsSkipped(t *testing.T) {
	const bom = "\xef\xbb\xbf"
	es := issuers["ES256"]()
	marked := func(doc []byte) []byte { return append([]byte(bom), doc...) }
	for name, doc := range map[string][]byte{
		"JWKS":         es.JWKS(),
		"JWK":          jwkWith(t, es, nil),
		"PEM":          es.PEM(),
		"certificates": certificates(t, es, testNow, testNow.AddDate(1, 0, 0)),
	} {
		src, err := authorizer.StaticKeys(marked(doc))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := newAuthorizer(t, src).Verify(t.Context(), sign(t, es, claims())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, doc := range map[string][]byte{"JWKS": es.JWKS(), "certificates": certificates(t, es, testNow, testNow.AddDate(1, 0, 0))} {
		if _, err := newAuthorizer(t, jwksOf(t, marked(doc))).Verify(t.Context(), sign(t, es, claims())); err != nil {
			t.Errorf("fetched %s: %v", name, err)
		}
	}
	const home, at, certs = "https://id.example.com", "https://id.example.com/.well-known/openid-configuration", "https://id.example.com/certs"
	web := &fakeWeb{docs: map[string]string{at: bom + configuration(home, certs), certs: bom + string(es.JWKS())}}
	if keys, err := web.discover(t, home).Keys(t.Context(), es.KeyID()); err != nil || len(keys) != 1 {
		t.Errorf("discovery: %d keys, %v", len(keys), err)
	}
	// One, and at the beginning.
	for _, doc := range [][]byte{marked(marked(es.JWKS())), append(es.JWKS(), bom...), []byte(bom)} {
		if src, err := authorizer.StaticKeys(doc); src != nil || !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%q: %v, %v, want invalid", doc, src, err)
		}
	}
}
