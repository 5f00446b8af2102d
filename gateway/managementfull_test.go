package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

// management serves the API of e, whose clock must be the real one: the SDK's
// is.
func (e *env) management() (url string, client *apigatewaymanagementapi.Client) {
	e.t.Helper()
	e.clock.set(time.Now())
	api := httptest.NewServer(e.gw.Management(managementCreds))
	e.t.Cleanup(api.Close)
	return api.URL, managementClient(api.URL+"/prod", managementCreds)
}

// An id that is not of an id's shape is malformed; one that is but that nobody
// has, gone. AWS tells them apart in the same way.
func TestManagementMalformedOrUnknown(t *testing.T) {
	e := start(t, config{})
	_, client := e.management()
	for id, want := range map[string]int{
		"L0SM9cOFvHcCIhw=": 410, "AAAAAAAAAAAAAAA=": 410,
		"abc": 400, "L0SM9cOFvHcCIhw": 400, "L0SM9cOFvHcCIhw==": 400, "L0SM9cOFvHc/Ihw=": 400, "L0SM9cOFvHcCIhx=": 400, "..": 400, "é": 400,
	} {
		var re interface{ HTTPStatusCode() int }
		_, err := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
		if !errors.As(err, &re) || re.HTTPStatusCode() != want {
			t.Errorf("post to %q: %v, want %d", id, err, want)
		}
		_, err = client.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
		if !errors.As(err, &re) || re.HTTPStatusCode() != want {
			t.Errorf("delete of %q: %v, want %d", id, err, want)
		}
	}
}

// A client whose buffer is full is a 429, with the type that the SDK knows.
func TestManagementFullBuffer(t *testing.T) {
	e := start(t, config{small: true})
	_, client := e.management()
	c, row := e.dial("ann")
	small(t, c)
	var err error
	for range 1000 {
		if _, err = client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{
			ConnectionId: &row.ID, Data: []byte(strings.Repeat("x", 100<<10)),
		}); err != nil {
			break
		}
	}
	var limit *types.LimitExceededException
	if !errors.As(err, &limit) {
		t.Errorf("a full buffer: %v, want LimitExceededException", err)
	}
}

// A batch reaches sockets, and tells of those that it does not reach.
func TestManagementBatchReachesSockets(t *testing.T) {
	e := start(t, config{})
	url, _ := e.management()
	ann, annRow := e.dial("ann")
	bob, bobRow := e.dial("bob")
	const nobody = "L0SM9cOFvHcCIhw="
	body, err := json.Marshal(nodeapi.Batch{Posts: []nodeapi.Post{
		{Connections: []string{annRow.ID, nobody}, Data: strings.Repeat("x", 40<<10)},
		{Connections: []string{bobRow.ID}, Data: "for bob"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	result := postBatch(t, url+"/prod/@connections", managementCreds, string(body))
	ann.ExpectText(strings.Repeat("x", 40<<10))
	bob.ExpectText("for bob")
	if len(result.Gone) != 1 || result.Gone[0] != nobody || len(result.Throttled) != 0 {
		t.Errorf("result is %+v", result)
	}
}

func sha256Hex(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func postBatch(t *testing.T, url string, c gateway.Credentials, body string) (result nodeapi.Result) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, sha256Hex(body), "execute-api", c.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || json.Unmarshal(b, &result) != nil {
		t.Fatalf("%d %s (%v)", resp.StatusCode, b, err)
	}
	return result
}
