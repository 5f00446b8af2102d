// Package roots keeps a function from reading the system's root certificates
// twice, which is most of what its first connection over TLS costs.
package roots

import (
	"errors"
	"os"
)

// Bundle is the file that has all root certificates of Amazon Linux 2023, the
// system of the runtime provided.al2023.
const Bundle = "/etc/pki/tls/certs/ca-bundle.crt"

// nowhere is no folder: crypto/x509 passes over one that is not there.
const nowhere = "/nonexistent"

// Once tells crypto/x509, by the variables that it knows, to read the bundle
// and no folder. By itself it reads the folders too, which hold the same
// certificates again, one file each: https://go.dev/issue/79018 (read 2026-11).
//
// It changes nothing where SSL_CERT_FILE or SSL_CERT_DIR is set, or where the
// bundle is not there. A function from a container image that has certificates
// of its own in a folder sets SSL_CERT_DIR to that. Call it before anything
// verifies a certificate.
func Once(bundle string) error {
	if os.Getenv("SSL_CERT_FILE") != "" || os.Getenv("SSL_CERT_DIR") != "" {
		return nil
	}
	if info, err := os.Stat(bundle); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return errors.Join(os.Setenv("SSL_CERT_FILE", bundle), os.Setenv("SSL_CERT_DIR", nowhere))
}
