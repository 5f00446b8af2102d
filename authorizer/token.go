package authorizer

import (
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	maxHeaderMembers  = 64
	maxPayloadMembers = 512
)

// strict refuses the unused bits of the last character that are not zero:
// otherwise several texts would be one signature.
var strict = base64.RawURLEncoding.Strict()

// compact is a compact JWS (RFC 7515, 7.1), taken apart. This is the one
// parser that a token goes through: what it read is what is verified.
type compact struct {
	alg, kid string // alg is canonical
	signed   []byte // what the signature is of: header and payload as they came
	payload  string // still base64
	sig      []byte
}

// parseCompact reads everything but the payload, which nobody has signed yet.
func parseCompact(token string) (compact, error) {
	// The decoder would skip line breaks.
	if strings.ContainsAny(token, "\r\n") {
		return compact{}, ErrMalformed
	}
	head, rest, ok := strings.Cut(token, ".")
	payload, sig, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 { // A third dot is left in sig, where no dot can be decoded.
		return compact{}, ErrMalformed
	}
	c := compact{payload: payload}
	if err := c.readHeader(head); err != nil {
		return compact{}, err
	}
	var err error
	if c.sig, err = strict.DecodeString(sig); err != nil || len(c.sig) == 0 {
		return compact{}, ErrMalformed
	}
	c.signed = []byte(token[:len(head)+1+len(payload)])
	return c, nil
}

func (c *compact) readHeader(segment string) error {
	data, err := strict.DecodeString(segment)
	if err != nil {
		return ErrMalformed
	}
	header, ok := parseObject(data, maxHeaderMembers)
	if !ok {
		return ErrMalformed
	}
	for _, m := range header {
		name := string(m.name)
		if isNull(m.value) && (name == "kid" || name == "typ" || name == "cty") {
			continue // As if absent.
		}
		switch name {
		case "alg":
			c.alg, ok = unquote(m.value)
			c.alg = canonical(c.alg)
		case "kid":
			c.kid, ok = unquote(m.value)
		case "typ":
			var typ string
			if typ, ok = unquote(m.value); ok && !accessType(typ) {
				return fmt.Errorf("%w: typ says that it is for another purpose", ErrHeader)
			}
		case "cty":
			var cty string
			if cty, ok = unquote(m.value); ok && strings.EqualFold(cty, "JWT") {
				return fmt.Errorf("%w: nested token", ErrHeader)
			}
		case "crit", "b64", "zip", "enc":
			// crit asks for extensions, and none is known here. The others
			// change what the signed bytes mean.
			return fmt.Errorf("%w: it has %s", ErrHeader, name)
		}
		// jwk, jku, x5u and x5c are keys that the token brings along itself:
		// they are never looked at.
		if !ok {
			return ErrMalformed
		}
	}
	return nil
}

// accessType reports whether a typ may open a connection. Explicit types of
// other purposes (logout+jwt, dpop+jwt, …) come from the same issuer with the
// same key and must not pass for an access token (RFC 8725, 3.11).
func accessType(typ string) bool {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return typ == "at+jwt" || !strings.HasSuffix(typ, "+jwt")
}
