package defects_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/sumutest"
)

// connectEvent is API Gateway's request to an authorizer.
func connectEvent(query, headers any) []byte {
	return must(json.Marshal(map[string]any{
		"type": "REQUEST", "methodArn": methodARN, "queryStringParameters": query, "headers": headers,
		"requestContext": map[string]any{"routeKey": "$connect", "eventType": "CONNECT", "connectionId": "c1="},
	}))
}

const methodARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/prod/$connect"

// A request without a query string, which is null then, was an exception and
// a 500.
func TestDefectNoQueryString(t *testing.T) {
	env := sumutest.New(t)
	if status := env.Refused(t, ""); status != 401 {
		t.Errorf("the gateway answers %d", status)
	}
	h := must(awslambda.NewAuthorizer(sumutest.Authorizer{}))
	for name, query := range map[string]any{"null": nil, "empty": map[string]string{}} {
		// API Gateway makes 401 of this text alone.
		if out, err := h.Invoke(t.Context(), connectEvent(query, nil)); err == nil || err.Error() != "Unauthorized" {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
	inHeader := map[string]string{"authorization": sumutest.UserToken("ann")}
	if out, err := h.Invoke(t.Context(), connectEvent(nil, inHeader)); err != nil || !strings.Contains(string(out), `"Allow"`) {
		t.Errorf("with a header alone: %s, %v", out, err)
	}
}

// A user id was put into JSON as it is: one with a quote broke the message, or
// wrote another one.
func TestDefectPrincipalUnescaped(t *testing.T) {
	for _, user := range []string{
		`ann","context":{"user_id":"root"},"x":"`, `a\`, `a"b`, "${context.path}", "<script>", "änn",
	} {
		h := must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{UserID: user}, nil
		})))
		out, err := h.Invoke(t.Context(), connectEvent(nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			PrincipalID string `json:"principalId"`
			Context     struct {
				UserID string `json:"user_id"`
			} `json:"context"`
			PolicyDocument struct {
				Statement []struct{ Resource []string }
			} `json:"policyDocument"`
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: %v in %s", user, err, out)
		}
		statements := got.PolicyDocument.Statement
		if got.PrincipalID != user || got.Context.UserID != user || len(statements) != 1 || fmt.Sprint(statements[0].Resource) != "["+methodARN+"]" {
			t.Errorf("%q became %s", user, out)
		}
	}
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Every token was printed to the log, and the event that it came with.
func TestDefectTokenLogged(t *testing.T) {
	out := new(lines)
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	env := sumutest.New(t, func(o *sumutest.Options) {
		o.Gateway = func(o *gateway.Options) { o.Logger = log }
		o.App = func(o *sumu.AppOptions) {
			o.Observer.Refused = func(_ context.Context, id, ip string, err error) { log.Info("refused", "id", id, "ip", ip, "err", err) }
			o.Observer.Connected = func(_ context.Context, c sumu.Connection) { log.Info("connected", "connection", c) }
		}
	})
	tokens := []string{env.Issuer.Token("ann")}
	env.ConnectToken(t, tokens[0])
	for _, hostile := range env.Issuer.Hostile("ann") {
		env.Refused(t, hostile.Token)
		tokens = append(tokens, hostile.Token)
	}

	careless := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		log.Info("request", "value", *r, "pointer", r, "text", fmt.Sprintf("%+v %#v", r, *r))
		return sumu.Identity{}, fmt.Errorf("%w: %s", sumu.ErrUnauthorized, r.Query["authorization"])
	})
	h := must(awslambda.NewAuthorizer(careless, func(o *awslambda.AuthorizerOptions) { o.Logger = log }))
	event := connectEvent(map[string]string{"authorization": tokens[0]}, map[string]string{"Authorization": tokens[0]})
	if _, err := h.Invoke(t.Context(), event); err == nil {
		t.Fatal("it was let in")
	}
	var typed awslambda.AuthorizerRequest
	if err := json.Unmarshal(event, &typed); err != nil {
		t.Fatal(err)
	}
	log.Info("event", "value", typed, "pointer", &typed, "text", fmt.Sprintf("%+v %#v", typed, typed))

	got := out.String()
	for _, line := range []string{`"refused"`, `"connected"`, `"request"`, `"event"`} {
		if !strings.Contains(got, line) {
			t.Errorf("the log has no line %s", line)
		}
	}
	for _, token := range tokens {
		for _, part := range strings.Split(token, ".") {
			if len(part) > 8 && strings.Contains(got, part) {
				t.Fatalf("the log has %.12s… of a token", part)
			}
		}
	}
}

// topic keeps what is published.
type topic struct {
	mu      sync.Mutex
	entries []snstypes.PublishBatchRequestEntry
}

func (p *topic) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries = append(p.entries, in.PublishBatchRequestEntries...)
	out := new(sns.PublishBatchOutput)
	for _, e := range in.PublishBatchRequestEntries {
		out.Successful = append(out.Successful, snstypes.PublishBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

// backend is a server whose clients publish to a topic. Frames may be as long
// as messages.
func backend(t testing.TB) (*sumutest.Env, *topic) {
	env := sumutest.New(t, func(o *sumutest.Options) { o.Gateway = func(o *gateway.Options) { o.MaxFrame = -1 } })
	out := new(topic)
	publish := must(snsnotify.Backend(out, "arn:aws:sns:us-east-1:123456789012:out"))
	env.App.Handle("publish", sumu.ToBackend("apigw.route.publish", publish))
	return env, out
}

// The backend learned the user of a message, but not the connection, and could
// not answer one device.
func TestDefectBackendLacksTheConnection(t *testing.T) {
	env, out := backend(t)
	ann := env.Connect(t, "ann")
	ann.Send(t, `{"action":"publish","message":"hello"}`)
	ann.NextType(t, "ack")
	if len(out.entries) != 1 {
		t.Fatalf("%d messages came", len(out.entries))
	}
	for name, want := range map[string]string{"connection_id": ann.ID(), "user_id": "ann", "source": "apigw.route.publish"} {
		if a := out.entries[0].MessageAttributes[name]; a.StringValue == nil || *a.StringValue != want {
			t.Errorf("the attribute %s is not %q", name, want)
		}
	}
}

// A message was passed on in a query string, which has room for about 10 KB.
// Here a frame may have 128 KiB, and all of its message arrives.
func TestDefectMessageOf10KB(t *testing.T) {
	env, out := backend(t)
	ann := env.Connect(t, "ann")
	const head, tail = `{"action":"publish","message":`, `}`
	message := `"` + strings.Repeat("&=%", sumu.MaxPayload)[:sumu.MaxPayload-len(head)-len(tail)-2] + `"`
	ann.Send(t, head+message+tail)
	ann.NextType(t, "ack")
	if len(out.entries) != 1 || *out.entries[0].Message != message {
		t.Errorf("%d messages came, or another one", len(out.entries))
	}
}
