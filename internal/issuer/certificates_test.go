package issuer_test

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/issuer"
)

func TestCertificatesHoldEveryKey(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			iss, err := issuer.New(alg)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]crypto.PublicKey{iss.KeyID(): iss.PublicKey()}
			if err := iss.Rotate(); err != nil {
				t.Fatal(err)
			}
			want[iss.KeyID()] = iss.PublicKey()
			notAfter := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
			var certs map[string]string
			if err := json.Unmarshal(iss.Certificates(notAfter), &certs); err != nil {
				t.Fatal(err)
			}
			if len(certs) != len(want) {
				t.Fatalf("%d certificates of %d keys", len(certs), len(want))
			}
			for kid, key := range want {
				block, rest := pem.Decode([]byte(certs[kid]))
				if block == nil || len(rest) > 0 || block.Type != "CERTIFICATE" {
					t.Fatalf("%s: %q", kid, certs[kid])
				}
				cert, err := x509.ParseCertificate(block.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				if !cert.NotAfter.Equal(notAfter) || !cert.PublicKey.(interface{ Equal(x crypto.PublicKey) bool }).Equal(key) {
					t.Errorf("%s: another key, or it ends at %v", kid, cert.NotAfter)
				}
				if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
					t.Errorf("%s: not signed by its own key: %v", kid, err)
				}
			}
		})
	}
}
