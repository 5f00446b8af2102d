package gateway

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// randomText draws from what SigV4 implementations get wrong.
func randomText(rnd *rand.Rand, most int) string {
	pieces := []string{
		"a", "B", "7", "-", ".", "_", "~", "=", "+", "/", "%", "%25", "@", "*", " ", "  ", "&", "?", "#", ":", ",", ";",
		"é", "日本", "😀", "'", "(", "!", "$", `"`, "<", "|", "\\", "..", "//",
	}
	var b strings.Builder
	for range rnd.IntN(most + 1) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}

// randomURL has a path of random segments, encoded in one of the ways that are
// legal, and a random query.
func randomURL(rnd *rand.Rand) string {
	hosts := []string{"gw.example.com", "gw.example.com:8443", "127.0.0.1:80", "[::1]:9000", "GW.example"}
	var b strings.Builder
	b.WriteString("http://" + hosts[rnd.IntN(len(hosts))])
	for range rnd.IntN(5) {
		b.WriteByte('/')
		switch segment := randomText(rnd, 6); rnd.IntN(3) {
		case 0:
			b.WriteString(url.PathEscape(segment)) // Leaves "@", "=", "+", … alone.
		case 1:
			b.Write(appendEscaped(nil, segment, false))
		case 2:
			b.WriteString(strings.ToLower(url.QueryEscape(segment)))
		}
	}
	for i := range rnd.IntN(5) {
		b.WriteByte("?&"[min(i, 1)])
		if name := randomText(rnd, 3); rnd.IntN(2) == 0 {
			b.WriteString(url.QueryEscape(name))
		} else {
			b.WriteString("same")
		}
		if rnd.IntN(4) > 0 {
			b.WriteString("=" + url.QueryEscape(randomText(rnd, 4)))
		}
	}
	return b.String()
}

func randomHeaders(rnd *rand.Rand, h http.Header) {
	names := []string{
		"Content-Type", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "X-Amz-Meta-A", "X-Foo", "X_under", "Accept", "Cache-Control", "User-Agent",
		"X-Amzn-Trace-Id", "Cookie", "Date",
	}
	values := []string{"", "a", " a ", "a   b    c", "\ta \t b", "text/plain;  charset=utf-8", "x,y", "é", `"q  q"`, "  ", "\u00a0a\u0085"}
	for range rnd.IntN(6) {
		h.Add(names[rnd.IntN(len(names))], values[rnd.IntN(len(values))])
	}
}

func seed(t *testing.T) *rand.Rand {
	n := uint64(time.Now().UnixNano())
	if s := os.Getenv("SUMU_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SUMU_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 4))
}

// Whatever the SDK's signer signs verifies once it has come over the wire, and
// does not once a part of it has changed.
func TestSigV4AgreesWithSDK(t *testing.T) {
	rnd := seed(t)
	methods := []string{"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"}
	regions := []string{"us-east-1", "eu-west-1", "local", "x"}
	for i := range 3000 {
		at := signedAt.Add(time.Duration(rnd.IntN(1e6)) * time.Minute)
		creds := Credentials{
			AccessKeyID:     "AK/" + strconv.Itoa(rnd.IntN(1000)),
			SecretAccessKey: "s" + randomText(rnd, 9),
			Region:          regions[rnd.IntN(len(regions))],
		}
		if rnd.IntN(3) == 0 {
			creds.SessionToken = "token/" + strconv.Itoa(rnd.IntN(1e9))
		}
		body := randomText(rnd, 40)
		r := newRequest(t, methods[rnd.IntN(len(methods))], randomURL(rnd), body)
		randomHeaders(rnd, r.Header)
		if rnd.IntN(2) == 0 {
			r.Header.Set("X-Amz-Content-Sha256", hashOf(body))
		}
		sdkSign(t, r, creds, hashOf(body), at)
		what := fmt.Sprintf("case %d: %s %s %q %v body %q", i, r.Method, r.URL, r.Host, r.Header, body)

		v := newSigV4([]Credentials{{AccessKeyID: "other", SecretAccessKey: "other"}, creds})
		verify := func(alter func(*http.Request, *string)) error {
			got, body := overWire(t, r), body
			shuffleQuery(rnd, got)
			if alter != nil {
				alter(got, &body)
			}
			c, err := readClaim(got, at)
			if err != nil {
				return err
			}
			path, _ := requestTarget(got)
			return v.verify(got, &c, path, []byte(body))
		}
		if err := verify(nil); err != nil {
			t.Fatalf("%s\nrefused: %v", what, err)
		}
		name := alterations[i%len(alterations)]
		if err := verify(func(got *http.Request, body *string) { alter(rnd, name, got, body) }); err == nil {
			t.Fatalf("%s\nverified although the %s was altered", what, name)
		}
	}
}

// shuffleQuery gives the parameters another order, as any server may meet them:
// the SDK sends them in the order that it has signed.
func shuffleQuery(rnd *rand.Rand, r *http.Request) {
	path, query, ok := strings.Cut(r.RequestURI, "?")
	if !ok {
		return
	}
	params := strings.Split(query, "&")
	rnd.Shuffle(len(params), func(i, j int) { params[i], params[j] = params[j], params[i] })
	r.RequestURI = path + "?" + strings.Join(params, "&")
}

var alterations = []string{"method", "path", "query", "host", "date", "body", "signature"}

func alter(rnd *rand.Rand, what string, r *http.Request, body *string) {
	switch what {
	case "method":
		r.Method += "X"
	case "path":
		r.RequestURI = "/x" + r.RequestURI
	case "query":
		r.RequestURI += "?&"[min(strings.Count(r.RequestURI, "?"), 1):][:1] + "q"
	case "host":
		r.Host = "x" + r.Host
	case "date":
		at, _ := time.Parse(sigV4Time, r.Header.Get("X-Amz-Date"))
		r.Header.Set("X-Amz-Date", at.Add(time.Second).Format(sigV4Time))
	case "body":
		*body += " "
	case "signature":
		h := []byte(r.Header.Get("Authorization"))
		h[len(h)-1-rnd.IntN(64)] ^= 1
		r.Header.Set("Authorization", string(h))
	}
}

// A vector that neither this package nor an SDK has computed here: the one of
// AWS's own documentation for the key of a day.
func TestSigV4SigningKeyOfTheDocumentation(t *testing.T) {
	key := hmacSHA256([]byte("AWS4"+"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), []byte("20150830"))
	for _, part := range []string{"us-east-1", "iam", "aws4_request"} {
		key = hmacSHA256(key, []byte(part))
	}
	const want = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
	if got := fmt.Sprintf("%x", key); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSigV4SigningKeyIsCachedAndBounded(t *testing.T) {
	k := &sigV4Key{Credentials: testCreds}
	first := k.signingKey("20261120", "eu-west-1")
	if again := k.signingKey("20261120", "eu-west-1"); &again[0] != &first[0] {
		t.Error("the same day and region are derived twice")
	}
	day := k.signingKey("20261121", "eu-west-1")
	region := k.signingKey("20261121", "us-east-1")
	if string(day) == string(first) || string(region) == string(day) {
		t.Error("another day or region has the same key")
	}
	if s := k.last.Load(); s.date != "20261121" || s.region != "us-east-1" {
		t.Errorf("kept %s %s, want the last one", s.date, s.region)
	}
}

func TestCredentialsRedact(t *testing.T) {
	b := newBench()
	c := Credentials{AccessKeyID: "AKID", SecretAccessKey: "hush", SessionToken: "mum", Region: "r1"}
	out := fmt.Sprintf("%v %+v %#v %s %q %v %+v", c, c, c, c, c, &c, []Credentials{c})
	b.management.log.Info("x", "c", c, "p", &c)
	out += b.log.String()
	for _, secret := range []string{"hush", "mum"} {
		if strings.Contains(out, secret) {
			t.Errorf("%q shows in %s", secret, out)
		}
	}
	if n := strings.Count(out, "AKID"); n != 9 {
		t.Errorf("the id shows %d times, want 9: %s", n, out)
	}
}

// The key is compared in a loop over all of them, so that rotation works: any
// of several verifies, also two secrets of one id.
func TestSigV4Rotation(t *testing.T) {
	old, next := testCreds, testCreds
	next.SecretAccessKey = "the next secret"
	third := Credentials{AccessKeyID: "AKIDTHIRD", SecretAccessKey: "third", SessionToken: "tok", Region: "eu-west-1"}
	v := newSigV4([]Credentials{old, next, third})
	for _, c := range []Credentials{old, next, third} {
		r := sdkSign(t, newRequest(t, "POST", "https://gw/@connections/c", "x"), c, hashOf("x"), signedAt)
		r = overWire(t, r)
		claim, err := readClaim(r, signedAt)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		path, _ := requestTarget(r)
		if err := v.verify(r, &claim, path, body); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}
