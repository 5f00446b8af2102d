package authorizer

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sumu-live/sumu/internal/strictjson"
)

const maxJWKMembers = 64

// parseKeySet reads the usable keys of a key set (RFC 7517) or of a map of
// certificates, told by the content. A key that cannot be used, because it is
// broken, private, symmetric, of an unknown type or not for signatures, is
// left out and costs only itself: an issuer that adds a key of a new type must
// not lock everybody out. No usable key is an error.
func parseKeySet(data []byte) ([]Key, error) {
	set, ok := parseAnyText(data, maxKeys) // Broken text costs its key alone.
	if !ok {
		return nil, errors.New("not a JSON object, or one with a duplicate member or too many")
	}
	var keys []Key
	var skipped error // Why the first of them was left out.
	if list := set.get("keys"); list == nil || list[0] == '"' {
		keys, skipped = parseCertificates(set)
	} else if elements, ok := strictjson.List(list); ok {
		keys, skipped = parseJWKs(elements)
	} else {
		return nil, errors.New("not a key set: keys is no list")
	}
	switch {
	case len(keys) == 0 && skipped != nil:
		return nil, fmt.Errorf("no usable key: %w", skipped)
	case len(keys) == 0:
		return nil, errors.New("no key")
	}
	return keys, nil
}

func parseJWKs(elements iter.Seq[[]byte]) (keys []Key, skipped error) {
	for element := range elements {
		if len(keys) == maxKeys {
			break
		}
		key, err := parseJWK(element)
		if err != nil {
			if skipped == nil {
				skipped = err
			}
			continue
		}
		keys = append(keys, key)
	}
	return keys, skipped
}

// parseJWK reads one key for verifying signatures. A member that is null, "" or
// [] is as if absent: some providers write the optional ones so.
func parseJWK(data []byte) (Key, error) {
	members, ok := parseObject(data, maxJWKMembers)
	if !ok {
		return Key{}, errors.New("not a JSON object, or one with a duplicate member")
	}
	members = slices.DeleteFunc(members, func(m member) bool { return isEmpty(m.value) })
	var key Key
	for _, m := range members {
		switch string(m.name) {
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			// Whoever publishes this has lost the key to everybody.
			return Key{}, errors.New("private or symmetric key")
		case "kid":
			key.ID, ok = unquote(m.value)
		case "alg":
			key.Algorithm, ok = unquote(m.value)
		case "use":
			var use string
			if use, ok = unquote(m.value); ok && use != "sig" {
				return Key{}, errors.New("key is not for signatures")
			}
		case "key_ops":
			if ok = verifyOp(m.value); !ok {
				return Key{}, errors.New("key is not for verifying")
			}
		}
		if !ok {
			return Key{}, fmt.Errorf("%s is not a string", m.name)
		}
	}
	var err error
	if key.Public, err = publicKey(members); err != nil {
		return Key{}, err
	}
	return key, usable(key.Public)
}

func verifyOp(value []byte) bool {
	ops, ok := strictjson.List(value)
	if !ok {
		return false
	}
	for op := range ops {
		if name, _ := unquote(op); name == "verify" {
			return true
		}
	}
	return false
}

// publicKey has jwx read the key itself. It is shown no other member than those
// that make the key: one that it cannot read, such as a broken certificate
// beside a good key, would fail the key.
func publicKey(members object) (pub crypto.PublicKey, err error) {
	// A panic there must cost one key, and not the process with its sockets.
	defer func() {
		if recover() != nil {
			pub, err = nil, errors.New("key cannot be read")
		}
	}()
	var doc bytes.Buffer
	for _, name := range []string{"kty", "crv", "n", "e", "x", "y"} {
		if value := members.get(name); value != nil {
			fmt.Fprintf(&doc, ",%q:%s", name, value)
		}
	}
	if doc.Len() == 0 {
		return nil, errors.New("not a key")
	}
	doc.WriteByte('}')
	text := doc.Bytes()
	text[0] = '{'
	key, err := jwk.ParseKey(text)
	if err != nil {
		return nil, errors.New("key type is not known, or the key is broken")
	}
	var raw any
	if err := key.Raw(&raw); err != nil {
		return nil, errors.New("key is broken")
	}
	return raw, nil
}
