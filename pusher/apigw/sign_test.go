package apigw

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"

	"github.com/sumu-live/sumu"
)

const (
	idBytes   = "abcXYZ019-._~=+/%?#&@:;,$!*'()[]{}|\\^`\"<> \tÀé漢\x00\x7f"
	nameBytes = "abcxyz0189"
	pathBytes = "abcXYZ019-._~$+!*'()=@:,;&"
)

func pick(r *rand.Rand, from string, least, most int) string {
	runes := []rune(from)
	out := make([]rune, least+r.IntN(most-least+1))
	for i := range out {
		out[i] = runes[r.IntN(len(runes))]
	}
	return string(out)
}

func randomEndpoint(r *rand.Rand) string {
	region := []string{"us-east-1", "eu-central-2", "ap-southeast-4"}[r.IntN(3)]
	s := []string{
		"https://" + pick(r, nameBytes, 10, 10) + ".execute-api." + region + ".amazonaws.com/" + pick(r, nameBytes, 1, 8),
		"https://ws." + pick(r, nameBytes, 3, 9) + ".example.com",
		"https://ws.example.com:" + []string{"443", "8443"}[r.IntN(2)] + "/" + pick(r, nameBytes, 1, 3) + pick(r, pathBytes, 0, 9) + "x",
		"https://ws.example.com/a%20b/%C3%A9/" + pick(r, nameBytes, 1, 5),
		"http://127.0.0.1:8080/prod",
		"http://[::1]:80/prod",
	}
	return s[r.IntN(len(s))]
}

func randomCredentials(r *rand.Rand) aws.Credentials {
	c := aws.Credentials{
		AccessKeyID:     "AKIA" + strings.ToUpper(pick(r, nameBytes, 16, 16)),
		SecretAccessKey: pick(r, pathBytes, 40, 40),
	}
	switch r.IntN(4) {
	case 0:
	case 1:
		c.SessionToken = " spaces  in   it " + pick(r, pathBytes, 0, 9)
	default:
		c.SessionToken = pick(r, pathBytes, 1, 1500)
	}
	return c
}

// exchange is what went out last, as it was at the time.
type exchange struct{ last *http.Request }

func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	x.last = r
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// Every request of ours, signed again by the SDK's signer, gets the same
// signature; and it goes to the path that the SDK's client would post to.
func TestSignatureIsTheSDKs(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	ctx := context.Background()
	creds := randomCredentials(r)
	now := time.Date(2026, 11, 20, 23, 59, 0, 0, time.FixedZone("", 3600))
	for i := range 2000 {
		if r.IntN(20) == 0 {
			old := creds
			creds = randomCredentials(r)
			if r.IntN(2) == 0 { // A new secret for an old id.
				creds.AccessKeyID = old.AccessKeyID
			}
		}
		now = now.Add(time.Duration(r.Int64N(int64(5*time.Minute)))*time.Duration(r.IntN(2)) + time.Millisecond)
		raw := randomEndpoint(r)
		x := &exchange{}
		region := "sa-east-1"
		s, err := New(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil }), region,
			func(o *Options) { o.Endpoint, o.Transport, o.Now = raw, x, func() time.Time { return now } })
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		c := sumu.Connection{ID: pick(r, idBytes, 1, 20)}
		if checkID(c.ID) != nil {
			continue
		}
		p, err := sumu.NewPayload([]byte(pick(r, idBytes, 0, 300)))
		if err != nil {
			t.Fatal(err)
		}
		// Twice: what the first has cached must not show in the second.
		for range 2 {
			switch r.IntN(4) {
			case 0:
				_, err = s.Get(ctx, c)
			case 1:
				err = s.Disconnect(ctx, c)
			default:
				err = s.Post(ctx, c, p)
			}
			if err != nil {
				t.Fatalf("%s %q: %v", raw, c.ID, err)
			}
			if host, ok := executeAPIRegion(x.last.URL.Hostname()); ok {
				region = host
			}
			compareWithSigner(t, x.last, creds, region, now)
		}
		if i%10 == 0 {
			compareWithClient(t, s.fallback, c.ID, x.last)
		}
		if t.Failed() {
			t.Fatalf("seed %d, endpoint %s, id %q", seed, raw, c.ID)
		}
	}
}

func compareWithSigner(t *testing.T, ours *http.Request, creds aws.Credentials, region string, now time.Time) {
	t.Helper()
	theirs := ours.Clone(context.Background())
	theirs.Header.Del("Authorization")
	theirs.Header.Del("X-Amz-Date")
	theirs.Header.Del("X-Amz-Security-Token")
	hash := emptyHash
	if ours.ContentLength > 0 {
		body, err := ours.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		if err != nil || int64(len(data)) != ours.ContentLength {
			t.Fatalf("body has %d bytes of %d: %v", len(data), ours.ContentLength, err)
		}
		hash, _ = payloadHash(data).(string)
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, theirs, hash, "execute-api", region, now); err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		if ours.Header.Get(h) != theirs.Header.Get(h) {
			t.Errorf("%s %s: %s is\n%s\nthe SDK's\n%s", ours.Method, ours.URL, h, ours.Header.Get(h), theirs.Header.Get(h))
		}
	}
}

// compareWithClient compares the request line with that of the SDK's client.
func compareWithClient(t *testing.T, endpoint, id string, ours *http.Request) {
	t.Helper()
	x := &exchange{}
	client := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", HTTPClient: &http.Client{Transport: x}, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s"}, nil
		}),
	})
	_, err := client.PostToConnection(context.Background(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
	if err != nil {
		t.Fatalf("the SDK posts to %q: %v", id, err)
	}
	got, want := ours.URL.RequestURI(), x.last.URL.RequestURI()
	if strings.Contains(endpoint, "%") {
		// Of an endpoint that is escaped itself the SDK escapes less of the id;
		// both mean the same.
		got, want = ours.URL.Path, x.last.URL.Path
	}
	if got != want || ours.URL.Host != x.last.URL.Host {
		t.Errorf("request goes to %s %s, the SDK's to %s %s", ours.URL.Host, got, x.last.URL.Host, want)
	}
}

// The transport of our own is given the path in another way, which must come
// to the same on the wire.
func TestTargetsAreTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s Sender
	for range 2000 {
		a, err := parseAddress(randomEndpoint(r))
		if err != nil {
			t.Fatal(err)
		}
		s.signers = make(map[string]*signer)
		e, err := s.newEndpoint(a)
		if err != nil {
			t.Fatal(err)
		}
		id := pick(r, idBytes, 1, 20)
		s.owned = nil
		callers := s.target(e, id)
		s.owned = &http.Transport{}
		own := s.target(e, id)
		if callers.RequestURI() != own.RequestURI() || callers.Host != own.Host || callers.Scheme != own.Scheme {
			t.Fatalf("own transport gets %s, a caller's %s", own.RequestURI(), callers.RequestURI())
		}
		if again, err := url.Parse(callers.String()); err != nil || again.Path != callers.Path {
			t.Fatalf("%q is not what was meant: %v", callers, err)
		}
	}
}

// A key is derived once a day, a date formatted once a second.
func TestSignerKeepsWhatItCan(t *testing.T) {
	s := newSigner("us-east-1")
	creds := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s", SessionToken: "t"}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	first := s.at(&creds, now)
	if again := s.at(&creds, now.Add(999*time.Millisecond)); again != first {
		t.Error("the same second is another moment")
	}
	later := s.at(&creds, now.Add(time.Second))
	if later == first || later.key != first.key {
		t.Error("the next second does not share the key alone")
	}
	if tomorrow := s.at(&creds, now.Add(12*time.Hour)); tomorrow.key == first.key {
		t.Error("the next day has the same key")
	}
	for _, other := range []aws.Credentials{
		{AccessKeyID: "AKIE", SecretAccessKey: "s", SessionToken: "t"},
		{AccessKeyID: "AKID", SecretAccessKey: "r", SessionToken: "t"},
		{AccessKeyID: "AKID", SecretAccessKey: "s", SessionToken: "u"},
	} {
		if s.at(&creds, now).key == s.at(&other, now).key {
			t.Errorf("%q shares a key", other.AccessKeyID)
		}
	}
}
