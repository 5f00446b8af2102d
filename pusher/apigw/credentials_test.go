package apigw_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// keyOf is the access key that signed a request.
func keyOf(r *http.Request) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	return key
}

var errSTS = errors.New("sts: no answer")

func TestCredentialsFail(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for name, provider := range map[string]aws.CredentialsProviderFunc{
		"error": func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errSTS },
		"empty": func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, nil },
		"expired": func(context.Context) (aws.Credentials, error) {
			c := testCreds
			c.CanExpire, c.Expires = true, time.Now().Add(-time.Second)
			return c, nil
		},
	} {
		sender, err := apigw.New(provider, "eu-west-1", at(s.URL))
		if err != nil {
			t.Fatal(err)
		}
		err = post(t, sender)
		wantKind(t, err, sumu.ErrUnavailable)
		if name == "error" && !errors.Is(err, errSTS) {
			t.Errorf("%v has lost its cause", err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// The provider gives new credentials while posts are in flight.
func TestCredentialsRotate(t *testing.T) {
	var mu sync.Mutex
	signed := make(map[string]int)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		signed[keyOf(r)+" "+r.Header.Get("X-Amz-Security-Token")]++
	})
	var current atomic.Pointer[aws.Credentials]
	current.Store(&aws.Credentials{AccessKeyID: "OLD", SecretAccessKey: "a", SessionToken: "old"})
	sender, err := apigw.New(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return *current.Load(), nil
	}), "eu-west-1", at(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	p := payload(t, testText)
	var wg sync.WaitGroup
	half := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			for i := range 50 {
				if i == 25 {
					half <- struct{}{}
				}
				if err := sender.Post(t.Context(), conn(testID), p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	<-half
	current.Store(&aws.Credentials{AccessKeyID: "NEW", SecretAccessKey: "b"})
	wg.Wait()
	if err := sender.Post(t.Context(), conn(testID), p); err != nil {
		t.Error(err)
	}
	if signed["OLD old"] == 0 || signed["NEW "] == 0 || len(signed) != 2 {
		t.Errorf("requests were signed by %v", signed)
	}
}

// The session ends earlier than was said: the cache is told, once, and the
// next try is signed with what it fetches.
func TestExpiredSessionIsReplaced(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if keyOf(r) == "KEY1" {
			w.Header().Set("X-Amzn-ErrorType", "ExpiredTokenException")
			w.WriteHeader(http.StatusForbidden)
		}
	})
	var fetched atomic.Int64
	cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		n := fetched.Add(1)
		return aws.Credentials{AccessKeyID: "KEY" + string(rune('0'+n)), SecretAccessKey: testSecret, SessionToken: testToken}, nil
	}))
	sender, err := apigw.New(cache, "eu-west-1", at(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	wantKind(t, post(t, sender), sumu.ErrUnavailable)
	for range 3 {
		if err := post(t, sender); err != nil {
			t.Error(err)
		}
	}
	if n := fetched.Load(); n != 2 {
		t.Errorf("credentials were fetched %d times, want 2", n)
	}
}

// Credentials that stay expired are fetched again once, not for every post.
func TestDeadSessionIsNotFetchedForEveryPost(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-ErrorType", "ExpiredTokenException")
		w.WriteHeader(http.StatusForbidden)
	})
	var fetched atomic.Int64
	cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		fetched.Add(1)
		return testCreds, nil
	}))
	sender, err := apigw.New(cache, "eu-west-1", at(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	for range 20 {
		wantKind(t, post(t, sender), sumu.ErrUnavailable)
	}
	if n := fetched.Load(); n != 2 {
		t.Errorf("credentials were fetched %d times, want 2", n)
	}
}

// The region is that of the host, so that rows of two regions can be served.
func TestRegionIsTheHosts(t *testing.T) {
	for row, want := range map[string]string{
		"https://" + api + "/prod":                               "us-east-1",
		"https://a.execute-api.cn-north-1.amazonaws.com.cn/prod": "cn-north-1",
		"https://ws.example.com":                                 "eu-west-1",
		"https://a.execute-api.Evil!.amazonaws.com":              "",
	} {
		var scope string
		s := newSender(t, func(o *apigw.Options) {
			o.AllowedHosts = []string{api, "*.cn-north-1.amazonaws.com.cn", "ws.example.com"}
			o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				scope = strings.Split(r.Header.Get("Authorization"), "/")[2]
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
			})
		})
		c := conn(testID)
		c.Endpoint = row
		err := s.Post(t.Context(), c, payload(t, testText))
		if scope != want || (err == nil) != (want != "") {
			t.Errorf("%s is signed for %q (%v), want %q", row, scope, err, want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
