package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // Linked in for crypto.Hash.
	_ "crypto/sha512" // Linked in for crypto.Hash.
	"encoding/asn1"
	"errors"
	"math/big"
)

// algorithm is a signature algorithm of RFC 7518 or RFC 8037.
type algorithm struct {
	name  string
	hash  crypto.Hash    // 0: Ed25519 hashes for itself
	pss   bool           // RSA only
	curve elliptic.Curve // nil: not ECDSA
}

var algorithms = map[string]algorithm{
	"RS256": {name: "RS256", hash: crypto.SHA256},
	"RS384": {name: "RS384", hash: crypto.SHA384},
	"RS512": {name: "RS512", hash: crypto.SHA512},
	"PS256": {name: "PS256", hash: crypto.SHA256, pss: true},
	"PS384": {name: "PS384", hash: crypto.SHA384, pss: true},
	"PS512": {name: "PS512", hash: crypto.SHA512, pss: true},
	"ES256": {name: "ES256", hash: crypto.SHA256, curve: elliptic.P256()},
	"ES384": {name: "ES384", hash: crypto.SHA384, curve: elliptic.P384()},
	"ES512": {name: "ES512", hash: crypto.SHA512, curve: elliptic.P521()},
	"EdDSA": {name: "EdDSA"},
}

func (a algorithm) generate(rsaBits int) (crypto.Signer, error) {
	switch {
	case a.hash == 0:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case a.curve != nil:
		return ecdsa.GenerateKey(a.curve, rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, rsaBits)
}

// sign returns the signature as JWS has it.
func (a algorithm) sign(signer crypto.Signer, input []byte) ([]byte, error) {
	if a.hash == 0 {
		return signer.Sign(rand.Reader, input, crypto.Hash(0))
	}
	h := a.hash.New()
	h.Write(input)
	var opts crypto.SignerOpts = a.hash
	if a.pss {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	}
	sig, err := signer.Sign(rand.Reader, h.Sum(nil), opts)
	if err != nil || a.curve == nil {
		return sig, err
	}
	return fixedWidth(sig, (a.curve.Params().BitSize+7)/8)
}

// fixedWidth turns an ASN.1 ECDSA signature into the r || s of JWS, each of
// size bytes.
func fixedWidth(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	} else if len(rest) > 0 {
		return nil, errors.New("data after the signature")
	}
	out := make([]byte, 2*size)
	sig.R.FillBytes(out[:size])
	sig.S.FillBytes(out[size:])
	return out, nil
}
