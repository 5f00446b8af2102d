package authorizer_test

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
)

// forge makes a token with any header, signed by sign.
func forge(t testing.TB, header string, payload any, sign func(input []byte) []byte) string {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Compact([]byte(header), body, func(input []byte) ([]byte, error) { return sign(input), nil })
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func hs256(secret []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
}

func noSignature([]byte) []byte { return nil }

// secretClaims are in every bad token: no error may show them.
var secretClaims = map[string]any{"email": "ann@example.com", "jti": "jti-5c1e"}

func TestRefusedTokens(t *testing.T) {
	rs, es := issuers["RS256"](), issuers["ES256"]()
	a := newAuthorizer(t, static(t, rs.JWKS(), es.JWKS()))
	good := func(changes ...map[string]any) map[string]any {
		c := claims(changes...)
		maps.Copy(c, secretClaims)
		return c
	}
	part := strings.Split(sign(t, rs, good()), ".")
	if _, err := a.Verify(t.Context(), strings.Join(part, ".")); err != nil {
		t.Fatalf("the good token is refused: %v", err)
	}
	raw := func(payload string) string {
		token, err := rs.SignRaw(nil, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	header := func(fields map[string]any) string { return signWith(t, rs, fields, good()) }
	rawHeader := func(header string) string {
		return forge(t, header, good(), func([]byte) []byte { return make([]byte, 256) })
	}
	block, _ := pem.Decode(rs.PEM())
	pub := rs.PublicKey().(*rsa.PublicKey)
	kid := rs.KeyID()

	for _, tc := range []struct {
		name, token string
		want        error
	}{
		{"empty", "", authorizer.ErrNoToken},
		{"too long", strings.Repeat("a", 16*1024+1), authorizer.ErrTokenTooLong},
		{"text", "not-a-token", authorizer.ErrMalformed},
		{"two parts", part[0] + "." + part[1], authorizer.ErrMalformed},
		{"no signature", part[0] + "." + part[1] + ".", authorizer.ErrMalformed},
		{"four parts", strings.Join(part, ".") + ".", authorizer.ErrMalformed},
		{"JWE", strings.Join(part, ".") + "." + part[0] + "." + part[1], authorizer.ErrMalformed},
		{"empty parts", "..", authorizer.ErrMalformed},
		{"JSON serialization", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, part[0], part[1], part[2]), authorizer.ErrMalformed},
		{"line break", strings.Join(part, ".") + "\n", authorizer.ErrMalformed},
		{"line break inside", strings.Join(part, ".")[:9] + "\r\n" + strings.Join(part, ".")[9:], authorizer.ErrMalformed},
		{"space", " " + strings.Join(part, "."), authorizer.ErrMalformed},
		{"padding", strings.Join(part, ".") + "=", authorizer.ErrMalformed},
		{"header is no object", rawHeader(`["alg"]`), authorizer.ErrMalformed},
		{"header is no JSON", rawHeader(`{"alg":"RS256"`), authorizer.ErrMalformed},
		{"header goes on", rawHeader(`{"alg":"RS256"}{}`), authorizer.ErrMalformed},
		{"header is not UTF-8", rawHeader("{\"alg\":\"RS256\",\"x\":\"\xff\"}"), authorizer.ErrMalformed},
		{"alg twice", rawHeader(`{"alg":"none","alg":"RS256","kid":"` + kid + `"}`), authorizer.ErrMalformed},
		{"alg twice, once escaped", rawHeader(`{"alg":"RS256","\u0061lg":"none","kid":"` + kid + `"}`), authorizer.ErrMalformed},
		{"payload cut", part[0] + "." + part[1][:8] + "." + part[2], authorizer.ErrSignature},
		{"payload of another token", part[0] + "." + strings.Split(sign(t, rs, good(map[string]any{"sub": "bob"})), ".")[1] + "." + part[2], authorizer.ErrSignature},

		{"alg none", forge(t, `{"alg":"none"}`, good(), noSignature), authorizer.ErrMalformed},
		{"alg none with a signature", header(map[string]any{"alg": "none"}), authorizer.ErrAlgorithm},
		{"alg None", header(map[string]any{"alg": "None"}), authorizer.ErrAlgorithm},
		{"alg missing", header(map[string]any{"alg": nil}), authorizer.ErrAlgorithm},
		{"alg null", rawHeader(`{"alg":null}`), authorizer.ErrMalformed},
		{"alg in lower case", header(map[string]any{"alg": "rs256"}), authorizer.ErrAlgorithm},
		{"alg unknown", header(map[string]any{"alg": "RS1"}), authorizer.ErrAlgorithm},
		{"alg ES256K", header(map[string]any{"alg": "ES256K"}), authorizer.ErrAlgorithm},
		{"Alg", header(map[string]any{"alg": nil, "Alg": "RS256"}), authorizer.ErrAlgorithm},
		{"HS256 with the public key's PEM", forge(t, `{"alg":"HS256","kid":"`+kid+`"}`, good(), hs256(rs.PEM())), authorizer.ErrAlgorithm},
		{"HS256 with the public key's DER", forge(t, `{"alg":"HS256","kid":"`+kid+`"}`, good(), hs256(block.Bytes)), authorizer.ErrAlgorithm},
		{"HS256 with the public key's PKCS 1", forge(t, `{"alg":"HS256"}`, good(), hs256(x509.MarshalPKCS1PublicKey(pub))), authorizer.ErrAlgorithm},
		{"HS256 with the modulus", forge(t, `{"alg":"HS256"}`, good(), hs256(pub.N.Bytes())), authorizer.ErrAlgorithm},
		{"HMAC under the name RS256", forge(t, `{"alg":"RS256","kid":"`+kid+`"}`, good(), hs256(rs.PEM())), authorizer.ErrSignature},

		{"crit", header(map[string]any{"crit": []string{"exp"}, "exp": 1}), authorizer.ErrHeader},
		{"crit null", header(map[string]any{"crit": json.RawMessage("null")}), authorizer.ErrHeader},
		{"crit empty", header(map[string]any{"crit": []string{}}), authorizer.ErrHeader},
		{"b64 false", header(map[string]any{"b64": false}), authorizer.ErrHeader},
		{"b64 false, critical", header(map[string]any{"b64": false, "crit": []string{"b64"}}), authorizer.ErrHeader},
		{"zip", header(map[string]any{"zip": "DEF"}), authorizer.ErrHeader},
		{"enc", header(map[string]any{"enc": "A128GCM"}), authorizer.ErrHeader},
		{"nested", header(map[string]any{"cty": "jwt"}), authorizer.ErrHeader},
		{"typ logout+jwt", header(map[string]any{"typ": "logout+jwt"}), authorizer.ErrHeader},
		{"typ application/DPoP+JWT", header(map[string]any{"typ": "application/DPoP+JWT"}), authorizer.ErrHeader},
		{"typ is no string", header(map[string]any{"typ": 1}), authorizer.ErrMalformed},

		{"payload is no JSON", raw("hello"), authorizer.ErrMalformed},
		{"payload is a list", raw(`["sub"]`), authorizer.ErrMalformed},
		{"payload is empty", raw(""), authorizer.ErrMalformed},
		{"payload goes on", raw(`{"sub":"ann"} x`), authorizer.ErrMalformed},
		{"payload is not UTF-8", raw("{\"sub\":\"ann\xff\"}"), authorizer.ErrMalformed},
		{"sub twice", raw(`{"sub":"ann","exp":9999999999,"sub":"bob"}`), authorizer.ErrMalformed},
		{"exp twice, once escaped", raw(`{"sub":"ann","exp":1,"e\u0078p":9999999999}`), authorizer.ErrMalformed},
	} {
		_, err := a.Verify(t.Context(), tc.token)
		if !errors.Is(err, tc.want) || !errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			continue
		}
		requireSilent(t, err, tc.token, "ann@example.com", "jti-5c1e", kid, "ES256K", "DEF")
	}
}

// A key that the token brings along is not trusted, even when it fits.
func TestKeysInsideTheTokenAreNotTrusted(t *testing.T) {
	mine, evil := issuers["ES256"](), newIssuer(t, "ES256")
	a := newAuthorizer(t, static(t, mine.JWKS()))
	for _, fields := range []map[string]any{
		{"jwk": firstKey(t, evil)},
		{"jwk": firstKey(t, evil), "kid": nil},
		{"jku": "http://127.0.0.1:1/jwks.json", "x5u": "http://127.0.0.1:1/cert.pem"},
		{"x5c": []string{base64.StdEncoding.EncodeToString([]byte("cert"))}, "kid": mine.KeyID()},
	} {
		token := signWith(t, evil, fields, claims())
		if _, err := a.Verify(t.Context(), token); !errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%v: %v", fields, err)
		}
	}
	// They do not spoil a good token either: some issuers send them.
	token := signWith(t, mine, map[string]any{"jku": "https://id.example.com/jwks", "x5t": "AQ", "typ": "at+jwt"}, claims())
	if _, err := a.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// Every single change of a good token is refused: of its signature too, whose
// last character has bits that a lenient decoder ignores.
func TestEveryChangedCharacterIsRefused(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n"
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		iss := issuers[alg]()
		a := newAuthorizer(t, static(t, iss.JWKS()))
		token := sign(t, iss, claims())
		for i := range len(token) {
			for j, c := range alphabet {
				// All of them for the last character, some for the others.
				if byte(c) == token[i] || (i < len(token)-1 && (i+j)%len(alphabet) > 1) {
					continue
				}
				changed := token[:i] + string(c) + token[i+1:]
				if _, err := a.Verify(t.Context(), changed); !errors.Is(err, sumu.ErrUnauthorized) {
					t.Fatalf("%s: character %d changed to %q: %v", alg, i, c, err)
				}
			}
		}
	}
}

func TestSignatureLengthIsExact(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		iss := issuers[alg]()
		a := newAuthorizer(t, static(t, iss.JWKS()))
		token := sign(t, iss, claims())
		dot := strings.LastIndexByte(token, '.') + 1
		sig, err := base64.RawURLEncoding.DecodeString(token[dot:])
		if err != nil {
			t.Fatal(err)
		}
		half := len(sig) / 2
		for name, changed := range map[string][]byte{
			"shorter":          sig[:len(sig)-1],
			"longer":           append(sig[:len(sig):len(sig)], 0),
			"zero before":      append([]byte{0}, sig...),
			"zero before both": append(append([]byte{0}, sig[:half]...), append([]byte{0}, sig[half:]...)...),
			"all zero":         make([]byte, len(sig)),
		} {
			_, err := a.Verify(t.Context(), token[:dot]+base64.RawURLEncoding.EncodeToString(changed))
			if !errors.Is(err, authorizer.ErrSignature) {
				t.Errorf("%s, %s: %v", alg, name, err)
			}
		}
	}
}
