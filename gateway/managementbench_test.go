package gateway

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// One POST of 256 bytes, with the headers that the AWS SDK sends and signs:
// verified here, at a hub that takes it at no cost, and for comparison what the
// SDK's signer needs to sign it.
func BenchmarkManagementPost(b *testing.B) {
	body := strings.Repeat("x", 256)
	sent := newRequest(b, http.MethodPost, "https://gw.example.com/prod/@connections/R0oXAdfD0kwCH6w%3D", body)
	sent.Header.Set("Content-Type", "application/octet-stream")
	sent.Header.Set("Amz-Sdk-Invocation-Id", "81340228-1388-427e-ab75-1d876d6f0fa3")
	sent.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")

	b.Run("verified", func(b *testing.B) {
		r := overWire(b, sdkSign(b, sent, testCreds, hashOf(body), signedAt))
		m := newManagement(discard{}, newBench().now, slog.New(slog.DiscardHandler), []Credentials{testCreds})
		reader := strings.NewReader(body)
		r.Body = io.NopCloser(reader)
		w := &answer{header: http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			reader.Reset(body)
			clear(w.header)
			m.ServeHTTP(w, r)
			if w.status != http.StatusOK {
				b.Fatal(w.status)
			}
		}
	})
	b.Run("signed by the SDK", func(b *testing.B) {
		signer := v4.NewSigner()
		creds := aws.Credentials{AccessKeyID: testCreds.AccessKeyID, SecretAccessKey: testCreds.SecretAccessKey}
		b.ReportAllocs()
		for b.Loop() {
			hash := hashOf(body)
			if err := signer.SignHTTP(b.Context(), creds, sent, hash, "execute-api", testCreds.Region, signedAt); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(status int)      { a.status = status }
