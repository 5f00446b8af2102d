package iot_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/iot"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// signature is Signature Version 4 of a presigned GET, written down from AWS's
// documentation, apart from any library. query is sorted and escaped.
func signature(secret, date, region, service, host, path, query, payloadHash string) string {
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	mac := func(key, s string) string {
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(s))
		return string(h.Sum(nil))
	}
	canonical := strings.Join([]string{"GET", path, query, "host:" + host, "", "host", payloadHash}, "\n")
	scope := strings.Join([]string{date[:8], region, service, "aws4_request"}, "/")
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", date, scope, sum(canonical)}, "\n")
	key := "AWS4" + secret
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString([]byte(mac(key, toSign)))
}

// The vector that AWS publishes for presigned URLs: "Authenticating Requests:
// Using Query Parameters" of the S3 API reference (read 2026-11).
func TestSignatureOfTheVector(t *testing.T) {
	got := signature("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524T000000Z", "us-east-1", "s3",
		"examplebucket.s3.amazonaws.com", "/test.txt",
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"+
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host", "UNSIGNED-PAYLOAD")
	if want := "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPresign(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	for _, token := range []string{"", "AQoD/to+ken=="} {
		creds := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: secret, SessionToken: token}
		got, err := iot.Presign(t.Context(), creds, endpoint, "eu-west-1", at)
		if err != nil {
			t.Fatal(err)
		}
		// The query of the vector, for another service; and the token behind the
		// signature, outside of it.
		query := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Feu-west-1%2Fiotdevicegateway%2Faws4_request" +
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host"
		want := "wss://" + endpoint + "/mqtt?" + query + "&X-Amz-Signature=" +
			signature(secret, "20130524T000000Z", "eu-west-1", "iotdevicegateway", endpoint, "/mqtt", query, emptyHash)
		if token != "" {
			want += "&X-Amz-Security-Token=AQoD%2Fto%2Bken%3D%3D"
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if u, err := url.Parse(got); err != nil || u.Query().Get("X-Amz-Security-Token") != token {
			t.Errorf("token is not read back: %v", err)
		}
	}
}

// The SDK's signer makes the same of credentials that have no token, which is
// what one does that signs none.
func TestPresignAsTheSDK(t *testing.T) {
	creds := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: "token"}
	got, err := iot.Presign(t.Context(), creds, endpoint, "eu-west-1", now)
	if err != nil {
		t.Fatal(err)
	}
	creds.SessionToken = ""
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "wss://"+endpoint+"/mqtt?X-Amz-Expires=300", nil)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, emptyHash, "iotdevicegateway", "eu-west-1", now)
	if err != nil {
		t.Fatal(err)
	}
	if got != want+"&X-Amz-Security-Token=token" {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPresignRefuses(t *testing.T) {
	for _, tt := range [][2]string{{"", "eu-west-1"}, {endpoint, ""}, {endpoint, "eu/west"}, {"http://x", "eu-west-1"}} {
		if _, err := iot.Presign(t.Context(), aws.Credentials{}, tt[0], tt[1], now); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%q, %q: %v", tt[0], tt[1], err)
		}
	}
}
