package issuer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
)

// Sign returns a token (a compact JWS) with the given claims: nothing is added
// to them. Its header has alg, kid and typ "JWT".
func (i *Issuer) Sign(claims map[string]any) (string, error) {
	return i.SignWith(nil, claims)
}

// SignWith is Sign with fields of the header set to other values, or left out
// where the value is nil. The key and the algorithm that sign stay the
// issuer's, whatever the header says.
func (i *Issuer) SignWith(header, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("issuer: claims: %w", err)
	}
	return i.SignRaw(header, payload)
}

// SignRaw is SignWith for a payload that is given as bytes.
func (i *Issuer) SignRaw(header map[string]any, payload []byte) (string, error) {
	k := i.current()
	fields := map[string]any{"alg": i.alg.name, "kid": k.id, "typ": "JWT"}
	maps.Copy(fields, header)
	maps.DeleteFunc(fields, func(_ string, v any) bool { return v == nil })
	head, err := json.Marshal(fields)
	if err != nil {
		return "", fmt.Errorf("issuer: header: %w", err)
	}
	return Compact(head, payload, func(input []byte) ([]byte, error) {
		return i.alg.sign(k.signer, input)
	})
}

// Compact joins a header, a payload and what sign makes of the two into a
// compact JWS. It checks none of them: a test forges tokens with it.
func Compact(header, payload []byte, sign func(input []byte) ([]byte, error)) (string, error) {
	enc := base64.RawURLEncoding
	input := enc.EncodeToString(header) + "." + enc.EncodeToString(payload)
	sig, err := sign([]byte(input))
	if err != nil {
		return "", fmt.Errorf("issuer: sign: %w", err)
	}
	return input + "." + enc.EncodeToString(sig), nil
}
