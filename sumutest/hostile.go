package sumutest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/issuer"
)

// HostileToken is a token that must not let anybody in.
type HostileToken struct {
	Name  string // what is wrong with it
	Token string
	// Want is how it is refused: [sumu.ErrUnauthorized] (401) or
	// [sumu.ErrForbidden] (403).
	Want error
}

// Hostile returns tokens for a user which an authorizer that trusts this issuer
// and checks its Audience must refuse: too old, too early, of somebody else, for
// somebody else, and forged in each way that has worked on some library.
//
//	for _, h := range env.Issuer.Hostile("ann") {
//		if status := env.Refused(t, h.Token); status == 500 {
//			t.Errorf("%s: refused for the wrong reason", h.Name)
//		}
//	}
func (i *Issuer) Hostile(user string) []HostileToken {
	now := i.opts.Now()
	signed := func(changes map[string]any) string { return must(i.keys.Sign(i.with(user, changes))) }
	list := []HostileToken{
		{Name: "expired", Token: signed(map[string]any{
			"iat": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-time.Hour).Unix(),
		})},
		{Name: "without exp", Token: signed(map[string]any{"exp": nil})},
		{Name: "not valid yet", Token: signed(map[string]any{"nbf": now.Add(30 * time.Minute).Unix()})},
		{Name: "of another issuer", Token: signed(map[string]any{"iss": "https://elsewhere.example"})},
		{Name: "for another audience", Token: signed(map[string]any{"aud": "elsewhere"}), Want: sumu.ErrForbidden},
		{Name: "without a user", Token: signed(map[string]any{"sub": nil})},
	}
	list = append(list, i.forged(user)...)
	for k := range list {
		if list[k].Want == nil {
			list[k].Want = sumu.ErrUnauthorized
		}
	}
	return list
}

// forged returns tokens that this issuer did not sign.
func (i *Issuer) forged(user string) []HostileToken {
	claims := i.Claims(user)
	payload := must(json.Marshal(claims))
	other := must(issuer.New(i.opts.Algorithm))
	kid := i.keys.KeyID()
	header := func(alg string) []byte {
		return must(json.Marshal(map[string]any{"alg": alg, "kid": kid, "typ": "JWT"}))
	}
	unsigned := func([]byte) ([]byte, error) { return nil, nil }
	byPublicKey := func(input []byte) ([]byte, error) {
		mac := hmac.New(sha256.New, i.keys.PEM())
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	var theirs struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(other.JWKS(), &theirs); err != nil {
		panic(err)
	}
	mine := strings.Split(must(i.keys.Sign(i.Claims("somebody-else"))), ".")
	asUser := strings.Split(must(i.keys.Sign(claims)), ".")
	return []HostileToken{
		{Name: "alg none", Token: must(issuer.Compact(header("none"), payload, unsigned))},
		{Name: "HS256 with the public key as its secret", Token: must(issuer.Compact(header("HS256"), payload, byPublicKey))},
		{Name: "signed by another key", Token: must(other.SignWith(map[string]any{"kid": kid}, claims))},
		{Name: "of a key that is not known", Token: must(other.Sign(claims))},
		{Name: "of a key that it brings along", Token: must(other.SignWith(map[string]any{"jwk": theirs.Keys[0]}, claims))},
		{Name: "with the payload of another token", Token: mine[0] + "." + asUser[1] + "." + mine[2]},
		{Name: "without its signature", Token: asUser[0] + "." + asUser[1] + "."},
	}
}
