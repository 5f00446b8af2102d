package awslambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

// FuzzMux feeds every handler: none may panic, and whatever is answered names
// records of the event only. An answer with another id makes Lambda fail the
// batch; one that leaves a record out makes it delete the record.
func FuzzMux(f *testing.F) {
	dir, err := goldenDir()
	if err != nil {
		f.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal("no golden events", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(authEvent(nil))
	f.Add(socketEvent("MESSAGE", asAnn))
	f.Add(sqsEvent(`{"users":["ann"],"data":1}`, snsEnvelope(`{}`), awslambda.CheckMessage("ann")))
	for _, queue := range []string{"checks", "output"} {
		f.Add(bytes.ReplaceAll(sqsEvent(awslambda.CheckMessage("ann"), snsEnvelope(presenceBody), `{`), []byte(":requests"), []byte(":"+queue)))
	}
	f.Add(kinesisEvent(`{"users":["ann"],"data":1}`))
	f.Add(streamEvent("ann/a1"))
	f.Add([]byte(scheduled))
	f.Add([]byte(request))
	f.Add([]byte(lifecycle))
	_, _, ws := behind(f)
	_, _, worker := realWorker(f)
	store := new(memstore.Store)
	w := must(presence.New(store, new(published), func(o *presence.Options) { o.Concurrency = 1 }))
	backend := must(awslambda.NewBackend(awslambda.BackendOptions{
		Message:  func(context.Context, sumu.BackendMessage) error { return nil },
		Presence: func(context.Context, sumu.PresenceEvent) error { return nil },
	}))
	auth, _ := tokens(f)
	m := must(awslambda.NewMux(
		awslambda.Route{Kind: awslambda.KindAuthorizer, Handler: must(awslambda.NewAuthorizer(auth))},
		awslambda.Route{Kind: awslambda.KindWebSocket, Handler: ws},
		awslambda.Route{Kind: awslambda.KindSQS, Handler: must(awslambda.NewPusher(worker))},
		awslambda.Route{Kind: awslambda.KindSQS, Source: "checks", Handler: must(awslambda.NewPresence(w))},
		awslambda.Route{Kind: awslambda.KindSQS, Source: "output", Handler: backend},
		awslambda.Route{Kind: awslambda.KindSNS, Handler: backend},
		awslambda.Route{Kind: awslambda.KindHTTP, Handler: must(awslambda.NewHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body)
			w.Header().Set("X-Path", r.URL.Path+r.RequestURI)
		})))},
		awslambda.Route{Kind: awslambda.KindIoT, Handler: must(awslambda.NewLifecycle(func(context.Context, []byte) error { return nil }))},
		awslambda.Route{Kind: awslambda.KindKinesis, Handler: must(awslambda.NewPusher(worker))},
		awslambda.Route{Kind: awslambda.KindDynamoDB, Handler: must(awslambda.NewPresence(w))},
		awslambda.Route{Kind: awslambda.KindSchedule, Handler: must(awslambda.NewSchedule(func(context.Context) error { return nil }))},
	))
	f.Fuzz(func(t *testing.T, event []byte) {
		out, err := m.Invoke(t.Context(), event)
		if err != nil {
			var internal *sumu.Error
			if err.Error() != "Unauthorized" && !errors.As(err, &internal) {
				t.Fatalf("error is no *sumu.Error: %v", err)
			}
			if strings.Contains(err.Error(), "panic") {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(out) {
			t.Fatalf("answer is no JSON: %s", out)
		}
		var answer failures
		if json.Unmarshal(out, &answer) != nil || answer.Items == nil {
			return
		}
		known := idsOf(event)
		for _, item := range *answer.Items {
			if item.ID == "" || !known[item.ID] {
				t.Fatalf("%s is not among %v: Lambda fails the whole batch", out, known)
			}
		}
	})
}

// idsOf are the ids by which an answer may name the records of an event.
func idsOf(event []byte) map[string]bool {
	var e struct{ Records []json.RawMessage }
	_ = json.Unmarshal(event, &e)
	ids := make(map[string]bool)
	for _, raw := range e.Records {
		var r struct {
			MessageID string                          `json:"messageId"`
			Kinesis   struct{ SequenceNumber string } `json:"kinesis"`
			DynamoDB  struct{ SequenceNumber string } `json:"dynamodb"`
		}
		_ = json.Unmarshal(raw, &r)
		ids[r.MessageID], ids[r.Kinesis.SequenceNumber], ids[r.DynamoDB.SequenceNumber] = true, true, true
	}
	return ids
}

// FuzzAuthorizer lets everybody in: the policy allows the event's own method
// and nothing else, whatever else the event holds.
func FuzzAuthorizer(f *testing.F) {
	f.Add(methodARN, `{"authorization":"x"}`, "ann")
	f.Add("arn:*", `null`, "")
	h := func(user string) *awslambda.Authorizer {
		return must(awslambda.NewAuthorizer(sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
			_ = r.Subprotocols()
			return sumu.Identity{UserID: user}, nil
		})))
	}
	f.Fuzz(func(t *testing.T, arn, query, user string) {
		event := `{"type":"REQUEST","methodArn":` + jsonText(arn) + `,"queryStringParameters":` + query + `,"headers":` + query + `,"requestContext":{"connectionId":"c"}}`
		out, err := h(user).Invoke(t.Context(), []byte(event))
		if err != nil {
			return
		}
		var policy events.APIGatewayCustomAuthorizerResponse
		if err := json.Unmarshal(out, &policy); err != nil || len(out) > awslambda.MaxAuthorizerResult {
			t.Fatalf("answer is %s: %v", out, err)
		}
		s := policy.PolicyDocument.Statement
		if len(s) != 1 || s[0].Effect != "Allow" || len(s[0].Resource) != 1 || s[0].Resource[0] != arn || strings.ContainsAny(arn, "*?") {
			t.Fatalf("method %q: policy is %+v", arn, s)
		}
		if policy.PrincipalID != user || policy.Context["user_id"] != user || user == "" {
			t.Fatalf("user %q: %+v", user, policy)
		}
	})
}

// FuzzContext gives anything as an authorizer's context: who gets in has
// exactly the user, the grants and the expiry that it names.
func FuzzContext(f *testing.F) {
	f.Add(`{"principalId":"ann","grants":"join:room.*","expires_at":"4000000000"}`)
	f.Add(`{"user_id":"ann","expires_at":4e9,"issued_at":1,"claim_org":"acme"}`)
	f.Add(`"ann"`)
	var got *sumu.Message
	app := must(sumu.NewApp(awslambda.ContextAuthorizer(), new(memstore.Store)))
	app.Handle("x", func(_ context.Context, m sumu.Message) ([]byte, error) { got = &m; return nil, nil })
	h := must(awslambda.NewWebSocket(app, func(o *awslambda.WebSocketOptions) { o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) } }))
	f.Fuzz(func(t *testing.T, authorizer string) {
		got = nil
		event := `{"requestContext":{"connectionId":"c","eventType":"MESSAGE","authorizer":` + authorizer + `},"body":"{\"action\":\"x\"}"}`
		out, err := h.Invoke(t.Context(), []byte(event))
		if got == nil {
			return
		}
		var members map[string]any
		if err != nil || json.Unmarshal([]byte(authorizer), &members) != nil {
			return // A member that comes twice, as it cannot from API Gateway.
		}
		id := got.Identity
		if err := sumu.ValidateUserID(id.UserID); err != nil {
			t.Fatalf("user %q got in: %s", id.UserID, out)
		}
		if s, _ := members["grants"].(string); s != "" && string(must(id.Grants.MarshalText())) != s {
			t.Fatalf("grants %q became %v", s, id.Grants)
		}
		if text, ok := members["expires_at"].(string); ok && text != "" && id.ExpiresAt.IsZero() {
			t.Fatalf("expiry %q was lost", text)
		}
	})
}

// FuzzBackend gives anything as a message of the output queue: it is handed
// over whole, or fails.
func FuzzBackend(f *testing.F) {
	f.Add(`{"text":"hi"}`, "ann", "apigw.route.send", "1575929040500")
	f.Add(presenceBody, "ann", "lambda.presence.watchdog", "")
	f.Add(`{`, "", "", "NaN")
	f.Fuzz(func(t *testing.T, body, user, source, at string) {
		m := clientMessage("m1", body)
		for name, v := range map[string]string{"user_id": user, "source": source, "timestamp": at} {
			m.MessageAttributes[name] = events.SQSMessageAttribute{DataType: "String", StringValue: &v}
		}
		got, handled := new(heard), 0
		h := must(awslambda.NewBackend(awslambda.BackendOptions{
			Message: func(_ context.Context, m sumu.BackendMessage) error {
				handled++
				if string(m.Body) != body || m.UserID != user || m.Source != source || !json.Valid(m.Body) {
					t.Errorf("got %+v", m)
				}
				return nil
			},
			Presence: got.online,
		}))
		out, err := h.SQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{m}})
		if err != nil || len(out.BatchItemFailures)+handled+len(got.presence) != 1 {
			t.Errorf("handled %d, presence %d, %+v, %v", handled, len(got.presence), out, err)
		}
	})
}
