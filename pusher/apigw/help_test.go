package apigw_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher/apigw"
)

const (
	testID     = "R0oXAdfD0kwCH6w="
	testSecret = "s3cr3t-key-of-tests"
	testToken  = "session-token-of-tests"
	testText   = "payload-of-tests"
)

func static(c aws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

var testCreds = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: testSecret, SessionToken: testToken}

// serve answers with h until the test ends.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	leak.Check(t)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func newSender(t *testing.T, optFns ...func(*apigw.Options)) *apigw.Sender {
	t.Helper()
	s, err := apigw.New(static(testCreds), "eu-west-1", optFns...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func at(endpoint string) func(*apigw.Options) {
	return func(o *apigw.Options) { o.Endpoint = endpoint }
}

func payload(t testing.TB, text string) *sumu.Payload {
	t.Helper()
	p, err := sumu.NewPayload([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func conn(id string) sumu.Connection { return sumu.Connection{UserID: "ann", ID: id} }

func post(t *testing.T, s *apigw.Sender) error {
	t.Helper()
	return s.Post(t.Context(), conn(testID), payload(t, testText))
}

// wantKind checks the one kind that a pusher decides by, that the error names
// the connection, and that it tells no secret.
func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	var e *sumu.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) {
		t.Errorf("got %v, want %v", err, kind)
		return
	}
	if other := kindOf(err); other != kind {
		t.Errorf("%v is %v first, want %v", err, other, kind)
	}
	if !strings.Contains(e.Op, testID) {
		t.Errorf("%q does not name the connection", err)
	}
	wantNoSecret(t, err.Error())
}

// kindOf is the outermost kind: see sumu.Retryable.
func kindOf(err error) error {
	var e *sumu.Error
	for errors.As(err, &e) {
		if e.Kind != nil {
			return e.Kind
		}
		err = e.Err
	}
	return nil
}

func wantNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{testSecret, testToken, testText, "Signature="} {
		if strings.Contains(text, secret) {
			t.Errorf("%q tells %q", text, secret)
		}
	}
}
