package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
)

// sdkClient is the AWS SDK's own client, without its retries.
func sdkClient(endpoint string, c Credentials, client *http.Client) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       c.Region,
		HTTPClient:   client,
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	})
}

// listen serves h, over HTTP/2 if asked to, until the test ends.
func listen(t *testing.T, h http.Handler, http2 bool) *httptest.Server {
	leak.Check(t)
	s := httptest.NewUnstartedServer(h)
	if http2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func TestManagementWithSDK(t *testing.T) {
	// As API Gateway's ids are, and as nobody's are.
	ids := []string{"R0oXAdfD0kwCH6w=", "a/b+c=%25 é", "..", "a//b/../c", "@connections", "?x#y"}
	for _, tt := range []struct {
		name, prefix string
		mount        func(http.Handler) http.Handler
		http2        bool
	}{
		{"at the root", "", func(h http.Handler) http.Handler { return h }, false},
		{"at the root, HTTP/2", "", func(h http.Handler) http.Handler { return h }, true},
		{"under a stage of a mux", "/prod", func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/prod/", h)
			return mux
		}, false},
		{"prefix stripped, HTTP/2", "/a=b/prod/", func(h http.Handler) http.Handler {
			return http.StripPrefix("/a=b/prod", h)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(with(func(c *Credentials) { c.SessionToken = "tok/en==" }))
			b.management.now = time.Now
			s := listen(t, tt.mount(b.management), tt.http2)
			creds := b.management.sigV4.keys[0].Credentials
			client := sdkClient(s.URL+tt.prefix, creds, s.Client())
			for _, id := range ids {
				// A mux answers a path that is not clean with a redirect, as for any handler.
				if tt.name == "under a stage of a mux" && id == ".." {
					continue
				}
				testOperations(t, client, b.hub, id)
			}
		})
	}
}

func testOperations(t *testing.T, client *apigatewaymanagementapi.Client, hub *fakeHub, id string) {
	t.Helper()
	ctx := t.Context()
	if _, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: &id, Data: []byte(`{"hello":"wörld"}`),
	}); err != nil {
		t.Errorf("post to %q: %v", id, err)
	}
	got, err := client.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
	if err != nil {
		t.Errorf("get %q: %v", id, err)
		return
	}
	want, _ := (&fakeHub{}).info(id)
	if !aws.ToTime(got.ConnectedAt).Equal(want.ConnectedAt.Truncate(time.Millisecond)) ||
		!aws.ToTime(got.LastActiveAt).Equal(want.LastActiveAt) || got.Identity == nil ||
		aws.ToString(got.Identity.SourceIp) != want.SourceIP || aws.ToString(got.Identity.UserAgent) != want.UserAgent {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := client.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id}); err != nil {
		t.Errorf("delete %q: %v", id, err)
	}
	calls := []string{"post " + id + ` {"hello":"wörld"}`, "info " + id, "disconnect " + id}
	if taken := hub.taken(); !slices.Equal(taken, calls) {
		t.Errorf("hub was asked for %q, want %q", taken, calls)
	}
}

func TestManagementErrorsWithSDK(t *testing.T) {
	b := newBench(testCreds)
	b.management.now = time.Now
	b.hub.fail = map[string]error{
		"gone": &sumu.Error{Kind: sumu.ErrGone}, "slow": &sumu.Error{Kind: sumu.ErrThrottled}, "broken": errors.New("broken"),
	}
	s := listen(t, b.management, false)
	client := sdkClient(s.URL, testCreds, s.Client())
	stranger := sdkClient(s.URL, with(func(c *Credentials) { c.SecretAccessKey = "no" }), s.Client())
	ctx := t.Context()
	post := func(c *apigatewaymanagementapi.Client, id string, size int) error {
		_, err := c.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte(strings.Repeat("x", size))})
		return err
	}
	get := func(c *apigatewaymanagementapi.Client, id string) error {
		_, err := c.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
		return err
	}
	remove := func(c *apigatewaymanagementapi.Client, id string) error {
		_, err := c.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
		return err
	}
	for _, tt := range []struct {
		name   string
		err    error
		status int
		typed  bool
	}{
		{"post to a gone one", post(client, "gone", 1), 410, is[*types.GoneException](post(client, "gone", 1))},
		{"get a gone one", get(client, "gone"), 410, is[*types.GoneException](get(client, "gone"))},
		{"delete a gone one", remove(client, "gone"), 410, is[*types.GoneException](remove(client, "gone"))},
		{"post to a slow one", post(client, "slow", 1), 429, is[*types.LimitExceededException](post(client, "slow", 1))},
		{"a byte too many", post(client, "c", sumu.MaxPayload+1), 413, is[*types.PayloadTooLargeException](post(client, "c", sumu.MaxPayload+1))},
		{"far too many", post(client, "c", 1<<20), 413, is[*types.PayloadTooLargeException](post(client, "c", 1<<20))},
		{"wrong secret, post", post(stranger, "c", 1), 403, is[*types.ForbiddenException](post(stranger, "c", 1))},
		{"wrong secret, get", get(stranger, "c"), 403, is[*types.ForbiddenException](get(stranger, "c"))},
		{"wrong secret, delete", remove(stranger, "c"), 403, is[*types.ForbiddenException](remove(stranger, "c"))},
		{"our fault", post(client, "broken", 1), 500, is[*smithy.GenericAPIError](post(client, "broken", 1))},
	} {
		var response *awshttp.ResponseError
		if !errors.As(tt.err, &response) || response.HTTPStatusCode() != tt.status || !tt.typed {
			t.Errorf("%s: typed %v, want %d: %v", tt.name, tt.typed, tt.status, tt.err)
		} else if response.ServiceRequestID() == "" {
			t.Errorf("%s: the SDK finds no request id: %v", tt.name, tt.err)
		}
	}
	for _, call := range b.hub.taken() {
		if !strings.Contains(call, "gone") && !strings.Contains(call, "slow") && !strings.Contains(call, "broken") {
			t.Errorf("hub was asked for %.40q", call)
		}
	}
	if err := post(client, "c", sumu.MaxPayload); err != nil {
		t.Errorf("the largest payload: %v", err)
	}
}

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}
