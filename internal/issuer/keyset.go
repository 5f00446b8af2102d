package issuer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"time"
)

// Path is where an [Issuer] serves its key set.
const Path = "/.well-known/jwks.json"

type jwk struct {
	KeyType   string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Curve     string `json:"crv,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
}

// JWKS returns the key set (RFC 7517): the public keys, the oldest first.
func (i *Issuer) JWKS() []byte {
	i.mu.RLock()
	defer i.mu.RUnlock()
	set := struct {
		Keys []jwk `json:"keys"`
	}{make([]jwk, 0, len(i.keys))}
	for _, k := range i.keys {
		set.Keys = append(set.Keys, i.publicJWK(k))
	}
	return must(json.Marshal(set))
}

func (i *Issuer) publicJWK(k key) jwk {
	enc := base64.RawURLEncoding.EncodeToString
	out := jwk{Use: "sig", Algorithm: i.alg.name, KeyID: k.id}
	switch pub := k.signer.Public().(type) {
	case *rsa.PublicKey:
		out.KeyType = "RSA"
		out.N = enc(pub.N.Bytes())
		out.E = enc(big.NewInt(int64(pub.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(pub.Bytes())[1:] // behind the byte that says "uncompressed"
		out.KeyType = "EC"
		out.Curve = pub.Params().Name
		out.X = enc(point[:len(point)/2])
		out.Y = enc(point[len(point)/2:])
	case ed25519.PublicKey:
		out.KeyType = "OKP"
		out.Curve = "Ed25519"
		out.X = enc(pub)
	}
	return out
}

// PEM returns the public half of the key that signs, as a PUBLIC KEY block.
func (i *Issuer) PEM() []byte {
	der := must(x509.MarshalPKIXPublicKey(i.PublicKey()))
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// ServeHTTP serves the key set at [Path], with a Cache-Control that holds
// MaxAge. It answers 404 for any other path and 405 for any other method than
// GET and HEAD.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != Path:
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	default:
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", i.opts.MaxAge/time.Second))
		_, _ = w.Write(i.JWKS()) // A client that has gone away is its own affair.
	}
}

// must is for what cannot fail on keys that this package made.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
