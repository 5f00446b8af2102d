package roots_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/sumu-live/sumu/examples/serverless/internal/roots"
)

// bundle writes a file with one root certificate, and returns the certificate.
func bundle(t *testing.T) (file string, root *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the only root"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return file, root
}

// unset clears the variables until the test ends.
func unset(t *testing.T) {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		t.Setenv(name, "") // It is put back.
	}
}

// The pool is read once in a process: this is the only test that looks at it.
func TestOnceReadsTheBundleAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the variables are those of Linux")
	}
	unset(t)
	file, root := bundle(t)
	if err := roots.Once(file); err != nil {
		t.Fatal(err)
	}
	got, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	want := x509.NewCertPool()
	want.AddCert(root)
	if !got.Equal(want) {
		t.Error("the roots of the system are not those of the bundle")
	}
}

func TestOnceLeavesWhatIsSet(t *testing.T) {
	file, _ := bundle(t)
	for name, tt := range map[string]struct{ file, dir, bundle string }{
		"a file":    {"/mine.pem", "", file},
		"a folder":  {"", "/mine", file},
		"no bundle": {"", "", file + ".missing"},
		"no file":   {"", "", filepath.Dir(file)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SSL_CERT_FILE", tt.file)
			t.Setenv("SSL_CERT_DIR", tt.dir)
			if err := roots.Once(tt.bundle); err != nil {
				t.Fatal(err)
			}
			if f, d := os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR"); f != tt.file || d != tt.dir {
				t.Errorf("the variables are %q and %q, want %q and %q", f, d, tt.file, tt.dir)
			}
		})
	}
}
