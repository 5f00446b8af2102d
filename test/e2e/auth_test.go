package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// compact makes a token of a header and claims, signed by sign.
func compact(t *testing.T, header, claims map[string]any, sign func(input string) []byte) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := b64(h) + "." + b64(c)
	return input + "." + b64(sign(input))
}

// TestTokensThatAreRefused: forgeries that can be made from outside, with what
// the program itself publishes. Those that need its key (an audience that is
// not ours, expired, no exp, no sub) are in examples/quickstart.
func TestTokensThatAreRefused(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	good := token(t, p, "ann")
	parts := strings.Split(good, ".")
	decoded := func(part string) map[string]any {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	header, claims := decoded(parts[0]), decoded(parts[1])
	with := func(m map[string]any, name string, value any) map[string]any {
		m = maps.Clone(m)
		m[name] = value
		return m
	}
	jwks := request(t, "GET", p.URL+"/.well-known/jwks.json", "", nil).body
	var set struct {
		Keys []struct {
			Kid, X, Y string
		}
	}
	if err := json.Unmarshal([]byte(jwks), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("the key set is %q: %v", jwks, err)
	}
	hs256 := func(secret string) func(string) []byte {
		return func(input string) []byte {
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte(input))
			return mac.Sum(nil)
		}
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	es256 := func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, stranger, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig := make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		return sig
	}
	nothing := func(string) []byte { return nil }
	raw, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	if err != nil {
		t.Fatal(err)
	}

	for name, forged := range map[string]string{
		"no token":                        "",
		"not a token":                     "ann",
		"three dots":                      "a.b.c",
		"alg none":                        compact(t, map[string]any{"alg": "none"}, claims, nothing),
		"alg None":                        compact(t, map[string]any{"alg": "None"}, claims, nothing),
		"alg none with our kid":           compact(t, with(header, "alg", "none"), claims, nothing),
		"no signature":                    parts[0] + "." + parts[1] + ".",
		"HS256 with the key set":          compact(t, with(header, "alg", "HS256"), claims, hs256(jwks)),
		"HS256 with the public key's x":   compact(t, with(header, "alg", "HS256"), claims, hs256(string(raw))),
		"HS256 with an empty secret":      compact(t, with(header, "alg", "HS256"), claims, hs256("")),
		"another key, our kid":            compact(t, header, claims, es256),
		"another key, another kid":        compact(t, with(header, "kid", "stranger"), claims, es256),
		"another key, in the header":      compact(t, with(header, "jwk", map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}), claims, es256),
		"another user, our signature":     parts[0] + "." + b64(mustJSON(t, with(claims, "sub", "root"))) + "." + parts[2],
		"a longer life, our signature":    parts[0] + "." + b64(mustJSON(t, with(claims, "exp", time.Now().Add(1000*time.Hour).Unix()))) + "." + parts[2],
		"one bit of the signature turned": good[:len(good)-8] + flip(good[len(good)-8]) + good[len(good)-7:],
	} {
		for _, presented := range []struct {
			how    string
			query  string
			header http.Header
		}{
			{"query", "?authorization=" + forged, nil},
			{"sub-protocol", "", http.Header{"Sec-Websocket-Protocol": {"sumu, bearer." + forged}}},
			{"header", "", http.Header{"Authorization": {"Bearer " + forged}}},
		} {
			if resp, _ := handshake(t, p, presented.query, presented.header); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s in the %s: %s; want 401", name, presented.how, resp.Status)
			}
		}
	}
	for how, presented := range map[string]struct {
		query  string
		header http.Header
	}{
		"query":        {"?authorization=" + good, nil},
		"sub-protocol": {"", http.Header{"Sec-Websocket-Protocol": {"sumu, bearer." + good}}},
		"header":       {"", http.Header{"Authorization": {"Bearer " + good}}},
	} {
		resp, s := handshake(t, p, presented.query, presented.header)
		if resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("a good token in the %s: %s; want 101", how, resp.Status)
		}
		s.alive()
	}
	if resp, _ := handshake(t, p, "", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("no token at all: %s; want 401", resp.Status)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}
