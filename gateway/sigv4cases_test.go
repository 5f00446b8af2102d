package gateway

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const rejectBody = "the payload that nobody may see"

// claimOf is the claim of a request that verifies, for resign to change.
func claimOf(region string) sigV4Claim {
	return sigV4Claim{
		accessKeyID:   testCreds.AccessKeyID,
		date:          signedAt.Format("20060102"),
		region:        region,
		signedHeaders: "host;x-amz-date",
		timestamp:     signedAt.Format(sigV4Time),
	}
}

// as signs r anew with the right secret, after change.
func as(change func(r *http.Request, c *sigV4Claim)) func(testing.TB, *bench, *http.Request) *http.Request {
	return func(tb testing.TB, _ *bench, r *http.Request) *http.Request {
		c := claimOf(testCreds.Region)
		change(r, &c)
		resign(tb, r, c)
		return r
	}
}

// header replaces a part of the Authorization header.
func header(old, new string) func(testing.TB, *bench, *http.Request) *http.Request {
	return func(tb testing.TB, _ *bench, r *http.Request) *http.Request {
		was := r.Header.Get("Authorization")
		is := strings.Replace(was, old, new, 1)
		if is == was {
			tb.Fatalf("%q is not in %q", old, was)
		}
		r.Header.Set("Authorization", is)
		return r
	}
}

func later(d time.Duration) func(testing.TB, *bench, *http.Request) *http.Request {
	return func(_ testing.TB, b *bench, r *http.Request) *http.Request {
		b.at = signedAt.Add(d)
		return r
	}
}

// anew is a request signed by the SDK with other credentials, hash or header.
func anew(c Credentials, hash string, h http.Header) func(testing.TB, *bench, *http.Request) *http.Request {
	return func(tb testing.TB, _ *bench, _ *http.Request) *http.Request {
		r := newRequest(tb, "POST", "https://gw.example.com/@connections/c1%3D", rejectBody)
		for name, values := range h {
			r.Header[name] = values
		}
		return overWire(tb, sdkSign(tb, r, c, hash, signedAt))
	}
}

func with(change func(*Credentials)) Credentials {
	c := testCreds
	change(&c)
	return c
}

var rejections = []struct {
	name   string
	alter  func(testing.TB, *bench, *http.Request) *http.Request
	reason error // nil: the request is accepted
}{
	{"nothing altered", func(_ testing.TB, _ *bench, r *http.Request) *http.Request { return r }, nil},
	{"signed anew by the test", as(func(*http.Request, *sigV4Claim) {}), nil},

	{"wrong secret", anew(with(func(c *Credentials) { c.SecretAccessKey = "wrong" }), hashOf(rejectBody), nil), refuseSignature},
	{"unknown key", anew(with(func(c *Credentials) { c.AccessKeyID = "AKIDOTHER" }), hashOf(rejectBody), nil), refuseSignature},
	{"empty secret", anew(Credentials{AccessKeyID: "AKIDEMPTY", Region: "eu-west-1"}, hashOf(rejectBody), nil), refuseSignature},
	{"wrong region", anew(with(func(c *Credentials) { c.Region = "us-east-1" }), hashOf(rejectBody), nil), refuseSignature},
	{"wrong service", header("/execute-api/", "/s3/"), refuseScope},
	{"wrong terminator", header("/aws4_request", "/aws4"), refuseScope},
	{"region altered", header("/eu-west-1/", "/eu-west-2/"), refuseSignature},

	{"body altered", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Body = io.NopCloser(strings.NewReader(strings.ToUpper(rejectBody)))
		return r
	}, refuseSignature},
	{"body altered, its hash given", func(tb testing.TB, b *bench, _ *http.Request) *http.Request {
		r := anew(testCreds, hashOf(rejectBody), http.Header{"X-Amz-Content-Sha256": {hashOf(rejectBody)}})(tb, b, nil)
		r.Body = io.NopCloser(strings.NewReader(strings.ToUpper(rejectBody)))
		return r
	}, refusePayload},
	{"hash of the body given", anew(testCreds, hashOf(rejectBody), http.Header{"X-Amz-Content-Sha256": {hashOf(rejectBody)}}), nil},
	{"hash of another body given, unsigned", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header.Set("X-Amz-Content-Sha256", hashOf("other"))
		return r
	}, refusePayload},
	{"an empty hash given", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header.Set("X-Amz-Content-Sha256", "")
		return r
	}, refusePayload},
	{"hash given twice", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header["X-Amz-Content-Sha256"] = []string{hashOf(rejectBody), hashOf(rejectBody)}
		return r
	}, refusePayload},
	{"unsigned payload", anew(testCreds, "UNSIGNED-PAYLOAD", nil), refuseSignature},
	{"unsigned payload, declared", anew(testCreds, "UNSIGNED-PAYLOAD", http.Header{"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}}), refusePayload},
	{"streamed payload", anew(testCreds, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		http.Header{"X-Amz-Content-Sha256": {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}}), refusePayload},
	{"a payload named as long as a hash", anew(testCreds, strings.Repeat("U", 64),
		http.Header{"X-Amz-Content-Sha256": {strings.Repeat("U", 64)}}), refusePayload},

	{"path altered", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.RequestURI = strings.Replace(r.RequestURI, "c1", "c2", 1)
		return r
	}, refuseSignature},
	{"path encoded otherwise", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.RequestURI = strings.Replace(r.RequestURI, "%3D", "=", 1)
		return r
	}, refuseSignature},
	{"method altered", func(_ testing.TB, _ *bench, r *http.Request) *http.Request { r.Method = "DELETE"; return r }, refuseSignature},
	{"query added", func(_ testing.TB, _ *bench, r *http.Request) *http.Request { r.RequestURI += "?a=b"; return r }, refuseSignature},
	{"query malformed", func(_ testing.TB, _ *bench, r *http.Request) *http.Request { r.RequestURI += "?a=%zz"; return r }, refuseQuery},
	{"re-hosted", func(_ testing.TB, _ *bench, r *http.Request) *http.Request { r.Host = "other.example.com"; return r }, refuseSignature},
	{"no host", as(func(r *http.Request, _ *sigV4Claim) { r.Host = "" }), refuseSigned},

	{"replayed after 5 minutes", later(5 * time.Minute), nil}, // It is another day by then.
	{"replayed later", later(5*time.Minute + time.Second), refuseSkew},
	{"from the future, 5 minutes", later(-5 * time.Minute), nil},
	{"from the future", later(-5*time.Minute - time.Second), refuseSkew},
	{"re-dated", func(_ testing.TB, b *bench, r *http.Request) *http.Request {
		b.at = signedAt.Add(6 * time.Minute)
		r.Header.Set("X-Amz-Date", b.at.Format(sigV4Time))
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "20261120", "20261121", 1))
		return r
	}, refuseSignature},
	{"re-dated beyond its scope", as(func(r *http.Request, c *sigV4Claim) { c.date = "20261119" }), refuseScope},
	{"re-dated by an unsigned X-Amz-Date", func(tb testing.TB, b *bench, r *http.Request) *http.Request {
		r.Header.Set("Date", signedAt.Format(http.TimeFormat))
		c := claimOf(testCreds.Region)
		c.signedHeaders = "date;host"
		resign(tb, r, c)
		r.Header.Set("X-Amz-Date", signedAt.Format(sigV4Time))
		return r
	}, refuseUnsigned},
	{"date instead of x-amz-date", as(func(r *http.Request, c *sigV4Claim) {
		r.Header.Del("X-Amz-Date")
		r.Header.Set("Date", signedAt.Format(http.TimeFormat))
		c.signedHeaders = "date;host"
	}), nil},
	{"date in the format of x-amz-date", as(func(r *http.Request, c *sigV4Claim) {
		r.Header.Del("X-Amz-Date")
		r.Header.Set("Date", c.timestamp)
		c.signedHeaders = "date;host"
	}), nil},
	{"no date", as(func(r *http.Request, c *sigV4Claim) {
		r.Header.Del("X-Amz-Date")
		c.signedHeaders = "host"
	}), refuseDate},
	{"two dates", as(func(r *http.Request, c *sigV4Claim) { r.Header.Add("X-Amz-Date", c.timestamp) }), refuseDate},
	{"date of another format", as(func(r *http.Request, _ *sigV4Claim) {
		r.Header.Set("X-Amz-Date", signedAt.Format(http.TimeFormat))
	}), refuseDate},
	{"date with a fraction", as(func(r *http.Request, c *sigV4Claim) {
		r.Header.Set("X-Amz-Date", signedAt.Format("20060102T150405.000Z"))
	}), refuseDate},
	{"date that is none", as(func(r *http.Request, _ *sigV4Claim) { r.Header.Set("X-Amz-Date", "20261199T250000Z") }), refuseDate},
	{"host not signed", as(func(_ *http.Request, c *sigV4Claim) { c.signedHeaders = "x-amz-date" }), refuseUnsigned},
	{"x-amz-date not signed", as(func(_ *http.Request, c *sigV4Claim) { c.signedHeaders = "host" }), refuseUnsigned},
	{"an absent header signed", as(func(_ *http.Request, c *sigV4Claim) { c.signedHeaders = "host;x-amz-date;x-none" }), refuseSigned},
	{"signed headers unsorted", as(func(_ *http.Request, c *sigV4Claim) { c.signedHeaders = "x-amz-date;host" }), refuseSigned},
	{"signed headers twice", as(func(_ *http.Request, c *sigV4Claim) { c.signedHeaders = "host;host;x-amz-date" }), refuseSigned},
	{"signed headers in capitals", as(func(r *http.Request, c *sigV4Claim) {
		r.Header.Set("X-A", "1")
		c.signedHeaders = "X-A;host;x-amz-date"
	}), refuseSigned},
	{"a signed header altered", func(tb testing.TB, b *bench, _ *http.Request) *http.Request {
		r := anew(testCreds, hashOf(rejectBody), http.Header{"X-Foo": {"a"}})(tb, b, nil)
		r.Header.Set("X-Foo", "b")
		return r
	}, refuseSignature},
	{"a signed header with one more value", func(tb testing.TB, b *bench, _ *http.Request) *http.Request {
		r := anew(testCreds, hashOf(rejectBody), http.Header{"X-Foo": {"a"}})(tb, b, nil)
		r.Header.Add("X-Foo", "a")
		return r
	}, refuseSignature},
	{"signed length, sent in chunks", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.ContentLength = -1
		return r
	}, refuseSigned},

	{"presigned", func(tb testing.TB, _ *bench, _ *http.Request) *http.Request {
		r := newRequest(tb, "POST", "https://gw.example.com/@connections/c1%3D?X-Amz-Expires=60", rejectBody)
		creds := aws.Credentials{AccessKeyID: testCreds.AccessKeyID, SecretAccessKey: testCreds.SecretAccessKey}
		signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), creds, r, hashOf(rejectBody), "execute-api", testCreds.Region, signedAt)
		if err != nil {
			tb.Fatal(err)
		}
		return overWire(tb, newRequest(tb, "POST", signed, rejectBody))
	}, refusePresigned},
	{"presigned and signed", func(tb testing.TB, _ *bench, _ *http.Request) *http.Request {
		r := newRequest(tb, "POST", "https://gw.example.com/@connections/c1%3D?X-Amz-Signature=00", rejectBody)
		return overWire(tb, sdkSign(tb, r, testCreds, hashOf(rejectBody), signedAt))
	}, refusePresigned},

	{"no Authorization", func(_ testing.TB, _ *bench, r *http.Request) *http.Request { r.Header.Del("Authorization"); return r }, refuseNone},
	{"two Authorization headers", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header.Add("Authorization", r.Header.Get("Authorization"))
		return r
	}, refuseTwice},
	{"another algorithm", header("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), refuseHeader},
	{"algorithm in small letters", header("AWS4-HMAC-SHA256", "aws4-hmac-sha256"), refuseHeader},
	{"asymmetric", header("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), refuseHeader},
	{"algorithm alone", authorization("AWS4-HMAC-SHA256"), refuseHeader},
	{"empty Authorization", authorization(""), refuseHeader},
	{"bearer", authorization("Bearer abc"), refuseHeader},
	{"no Credential", header("Credential=", "Credentials="), refuseHeader},
	{"empty Credential", header("Credential=AKIDEXAMPLE/20261120/eu-west-1/execute-api/aws4_request", "Credential="), refuseHeader},
	{"empty key id", header("AKIDEXAMPLE", ""), refuseHeader},
	{"short scope", header("AKIDEXAMPLE/20261120/", "20261120/"), refuseHeader},
	{"empty region", header("/eu-west-1/", "//"), refuseHeader},
	{"two Credentials", header("SignedHeaders=", "Credential=AKIDEXAMPLE/20261120/eu-west-1/execute-api/aws4_request, SignedHeaders="), refuseHeader},
	{"two SignedHeaders", header("SignedHeaders=", "SignedHeaders=host, SignedHeaders="), refuseHeader},
	{"two Signatures", header("Signature=", "Signature="+strings.Repeat("0", 64)+", Signature="), refuseHeader},
	{"no Signature", header(", Signature=", ", X="), refuseHeader},
	{"an unknown part", header(", Signature=", ", More=1, Signature="), refuseHeader},
	{"signature too long", header("Signature=", "Signature=0"), refuseHeader},
	{"signature in capitals", func(tb testing.TB, b *bench, r *http.Request) *http.Request {
		was := r.Header.Get("Authorization")
		i := strings.Index(was, "Signature=") + len("Signature=")
		r.Header.Set("Authorization", was[:i]+strings.ToUpper(was[i:]))
		return r
	}, refuseSignature},
	{"a comma at the end", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header.Set("Authorization", r.Header.Get("Authorization")+",")
		return r
	}, refuseHeader},
	{"too long", header("Credential=", "Credential="+strings.Repeat("a", maxAuthorization)), refuseHeader},

	{"no space after the commas", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ", ", ","))
		return r
	}, nil},
	{"much space", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		h := strings.ReplaceAll(r.Header.Get("Authorization"), ", ", " \t,  ")
		r.Header.Set("Authorization", strings.Replace(h, "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256   ", 1))
		return r
	}, nil},
	{"parts in another order", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ", ")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 "+parts[2]+", "+parts[0]+", "+parts[1])
		return r
	}, nil},
	{"a target in absolute form", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.RequestURI = "https://gw.example.com" + r.RequestURI
		return r
	}, nil},
	{"a request that no server has read", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.RequestURI = ""
		return r
	}, nil},
	{"an unsigned header added", func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header.Set("X-Forwarded-For", "192.0.2.9")
		return r
	}, nil},
}

func authorization(value string) func(testing.TB, *bench, *http.Request) *http.Request {
	return func(_ testing.TB, _ *bench, r *http.Request) *http.Request {
		r.Header.Set("Authorization", value)
		return r
	}
}
