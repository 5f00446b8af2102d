package pipeline

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/internal/ws/wstest"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// stage is an emulator of API Gateway in the gateway's place, whose functions
// are the binaries of examples/serverless.
type stage struct {
	*world
	api    components.API
	issuer *issuer.Issuer
	iss    string
	output string // the URL of the queue of what clients send
	sender *apigw.Sender
}

// newStage starts an emulator with the functions.
func newStage(t *testing.T, start func(authorizer, websocket components.Function) components.API) *stage {
	t.Helper()
	s := &stage{world: newWorld(t, 0)}
	var err error
	if s.issuer, err = issuer.New("ES256"); err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewServer(s.issuer)
	t.Cleanup(provider.Close)
	s.iss = provider.URL
	s.output, _ = s.newQueue(t, s.name+"-output", nil)
	env := func(a components.API) map[string]string {
		return map[string]string{
			"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "AKIDPIPELINE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
			"AWS_ENDPOINT_URL": s.fauxqs, "AWS_ENDPOINT_URL_DYNAMODB": s.dynamo,
			"SUMU_CONNECTIONS_TABLE": s.name + "-connections", "SUMU_STATE_TABLE": s.name + "-state",
			"SUMU_OUTPUT_QUEUE_URL": s.output, "SUMU_MANAGEMENT_ENDPOINT": a.Management,
		}
	}
	tokens := func(a components.API) map[string]string {
		vars := env(a)
		maps.Copy(vars, map[string]string{
			"JWT_ISSUER_JWKS_URI": provider.URL + issuer.Path, "JWT_ISSUER": s.iss, "JWT_AUTHORIZED_AUDIENCES": "chat",
		})
		return vars
	}
	s.api = start(
		components.Function{Bootstrap: build(t, "authorizer"), Env: tokens},
		components.Function{Bootstrap: build(t, "websocket"), Env: env},
	)
	endpoint, err := apigw.Normalize(s.api.Management)
	if err != nil {
		t.Fatal(err)
	}
	s.api.Management = endpoint
	s.hosts = []string{hostOf(t, endpoint)}
	s.sender, err = apigw.New(creds, region, func(o *apigw.Options) { o.AllowedHosts = s.hosts })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.sender.Close() })
	return s
}

// build returns the binary of a function of examples/serverless.
func build(t *testing.T, name string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-tags", "lambda.norpc", "-o", bin, "../../examples/serverless/"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", name, err, out)
	}
	return bin
}

func hostOf(t *testing.T, endpoint string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, endpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.URL.Host
}

func (s *stage) token(t *testing.T, user, audience string) string {
	t.Helper()
	token, err := s.issuer.Sign(map[string]any{
		"iss": s.iss, "aud": audience, "sub": user, "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// dial asks for a socket with a token in the query, or as a sub-protocol. It
// returns nil and the status when it is refused.
func (s *stage) dial(t *testing.T, query, protocols string) (*wstest.Conn, int) {
	t.Helper()
	r := wstest.Request(t, "http"+strings.TrimPrefix(s.api.URL, "ws")+"/"+query)
	key := make([]byte, 16)
	_, _ = rand.Read(key) // serverless-offline tells connections apart by it.
	r.Header.Set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(key))
	if protocols != "" {
		r.Header.Set("Sec-WebSocket-Protocol", protocols)
	}
	conn := wstest.Send(t, r, nil)
	resp, _ := conn.Response()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, resp.StatusCode
	}
	if want, _, _ := strings.Cut(protocols, ","); resp.Header.Get("Sec-WebSocket-Protocol") != want {
		t.Errorf("sub-protocol is %q, want %q", resp.Header.Get("Sec-WebSocket-Protocol"), want)
	}
	return conn, resp.StatusCode
}

// enter opens a socket of a user with a token, and finds its row: the only one
// of the user that was not there before.
func (s *stage) enter(t *testing.T, user string) *socket {
	t.Helper()
	before := s.of(t, user)
	token := s.token(t, user, "chat")
	query, protocols := "?authorization="+token, ""
	if len(s.sockets)%2 == 1 {
		query, protocols = "", "sumu, bearer."+token
	}
	conn, status := s.dial(t, query, protocols)
	if conn == nil {
		t.Fatalf("%s is refused: %d", user, status)
	}
	c := &socket{post: s.sender.Post, got: make(map[string]int), over: make(chan struct{}), conn: conn}
	for id, row := range s.of(t, user) { // It is there before the handshake ends.
		if _, old := before[id]; !old {
			c.row = row
		}
	}
	if c.row.UserID != user || c.row.Endpoint != s.api.Management {
		t.Fatalf("the row of a new socket: %+v, want one of %s at %s", c.row, user, s.api.Management)
	}
	if err := c.conn.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	go c.read()
	t.Cleanup(c.close)
	s.sockets = append(s.sockets, c)
	return c
}

// of returns a user's rows by their connections' ids.
func (s *stage) of(t *testing.T, user string) map[string]sumu.Connection {
	t.Helper()
	rows := make(map[string]sumu.Connection)
	for c, err := range s.store.ByUser(t.Context(), user) {
		if err != nil {
			t.Fatal(err)
		}
		rows[c.ID] = c
	}
	return rows
}

// leave closes sockets and waits until $disconnect has removed their rows. With
// rows they are put back: API Gateway promises no $disconnect.
func (s *stage) leave(t *testing.T, lost []*socket) {
	t.Helper()
	for _, c := range lost {
		c.close()
	}
	for _, c := range lost {
		eventually(t, "$disconnect removes the row of "+c.row.UserID, func() bool {
			_, there := s.of(t, c.row.UserID)[c.row.ID]
			return !there
		})
		if err := s.store.Put(t.Context(), c.row); err != nil {
			t.Fatal(err)
		}
	}
}

// answer posts to a connection without a signature and returns what the
// emulator says.
func (s *stage) answer(t *testing.T, id string) (status int, kind string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/@connections/%s", s.api.Management, id), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("x-amzn-ErrorType")
}
