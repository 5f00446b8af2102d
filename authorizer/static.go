package authorizer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// StaticKeys returns a source that holds the keys of the given documents and
// never changes. A document is PEM (one or more blocks PUBLIC KEY, RSA PUBLIC
// KEY or CERTIFICATE, whose keys have no id), a JWK, a JWKS, or a JSON object
// of key ids and certificates in PEM.
//
// ErrInvalid is returned for a document that cannot be read or holds no usable
// key, and for PEM with anything else in it, such as a private key. Of a
// JWKS or a map the keys that cannot be used are left out.
func StaticKeys(documents ...[]byte) (KeySource, error) {
	var errs []error
	var keys []Key
	for i, doc := range documents {
		found, err := parseDocument(doc)
		if err != nil {
			errs = append(errs, invalid("key document %d: %w", i, err))
		}
		keys = append(keys, found...)
	}
	if len(documents) == 0 {
		errs = append(errs, invalid("no key document is given"))
	}
	if len(keys) > maxKeys {
		errs = append(errs, invalid("%d keys; at most %d are allowed", len(keys), maxKeys))
	}
	if err := joined(errs); err != nil {
		return nil, err
	}
	return staticKeys{newKeySet(keys)}, nil
}

type staticKeys struct{ set *keySet }

func (s staticKeys) Keys(_ context.Context, kid string) ([]Key, error) {
	return s.set.lookup(kid), nil
}

// parseDocument tells the format by the content.
func parseDocument(doc []byte) ([]Key, error) {
	doc = bytes.TrimSpace(bytes.TrimPrefix(doc, byteOrderMark))
	if !bytes.HasPrefix(doc, []byte("{")) {
		return parsePEM(doc)
	}
	if members, ok := parseObject(doc, maxJWKMembers); ok && members.get("kty") != nil {
		key, err := parseJWK(doc)
		if err != nil {
			return nil, err
		}
		return []Key{key}, nil
	}
	return parseKeySet(doc)
}

func parsePEM(doc []byte) ([]Key, error) {
	var keys []Key
	for {
		var block *pem.Block
		if block, doc = pem.Decode(doc); block == nil {
			break
		}
		key, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(bytes.TrimSpace(doc)) > 0 || len(keys) == 0 {
		return nil, errors.New("neither PEM nor JSON")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (Key, error) {
	var pub crypto.PublicKey
	var notAfter time.Time
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			pub, notAfter = cert.PublicKey, cert.NotAfter
		}
	default:
		return Key{}, errors.New("PEM block is neither a public key nor a certificate")
	}
	if err != nil {
		return Key{}, fmt.Errorf("%s cannot be read: %w", block.Type, err)
	}
	return Key{Public: pub, NotAfter: notAfter}, usable(pub)
}
