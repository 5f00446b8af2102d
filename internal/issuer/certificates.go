package issuer

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"time"
)

// Certificates returns the public keys as Firebase serves them: a JSON object
// of key ids and self-signed certificates in PEM, which end at notAfter, kept
// to the second.
func (i *Issuer) Certificates(notAfter time.Time) []byte {
	i.mu.RLock()
	defer i.mu.RUnlock()
	set := make(map[string]string, len(i.keys))
	for _, k := range i.keys {
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			NotBefore:    notAfter.Add(-17 * 24 * time.Hour), // About what Firebase gives them.
			NotAfter:     notAfter,
			KeyUsage:     x509.KeyUsageDigitalSignature,
		}
		der := must(x509.CreateCertificate(rand.Reader, cert, cert, k.signer.Public(), k.signer))
		set[k.id] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return must(json.Marshal(set))
}
