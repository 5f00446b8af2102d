package authorizer

import (
	"bytes"
	"encoding/pem"
	"errors"
	"unicode/utf8"
)

// parseCertificates reads the usable keys of a map of certificates, as
// Firebase serves it: the names are key ids, the values certificates in PEM.
// The certificate is an envelope here: who the issuer is was settled by the
// URL, and nothing of it counts but the key and when it ends. skipped says why
// the first of those that were left out was.
func parseCertificates(set object) (keys []Key, skipped error) {
	for _, m := range set {
		key, err := parseCertificate(m.value)
		switch {
		case err != nil:
		case len(m.name) == 0:
			err = errors.New("key id is empty") // It would count as a key for every id.
		case !utf8.Valid(m.name):
			err = errors.New("key id is not valid text")
		}
		if err != nil {
			if skipped == nil {
				skipped = err
			}
			continue
		}
		key.ID = string(m.name)
		keys = append(keys, key)
	}
	return keys, skipped
}

func parseCertificate(value []byte) (Key, error) {
	text, ok := unquote(value)
	if !ok {
		return Key{}, errors.New("certificate is not a string")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, errors.New("not one certificate in PEM")
	}
	return parseBlock(block)
}
