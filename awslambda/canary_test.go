package awslambda_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
)

const canary = "c4n4ry-c4n4ry"

// Defect: "token and event printed to the log". Each event below holds a
// canary where a client or a backend can put one, and fails in its own way.
func TestDefectEventInTheLog(t *testing.T) {
	log, text := logged()
	refuses := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, errors.New("no good: " + strings.Join(r.Query["authorization"], ""))
	})
	_, _, worker := realWorker(t)
	_, _, watcher := realWatcher(t)
	_, _, behindAuth := behind(t, func(o *awslambda.WebSocketOptions) { o.Logger = log })
	inFront := must(awslambda.NewWebSocket(must(sumu.NewApp(refuses, new(memstore.Store))), func(o *awslambda.WebSocketOptions) { o.Logger = log }))
	push := must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) { o.Logger = log }))
	backend := must(awslambda.NewBackend(awslambda.BackendOptions{
		Message:  func(context.Context, sumu.BackendMessage) error { return nil },
		Presence: func(context.Context, sumu.PresenceEvent) error { return nil },
		Logger:   log,
	}))
	query := func(e map[string]any) { e["queryStringParameters"] = map[string]string{"authorization": canary} }
	for _, tt := range []struct {
		name  string
		h     awslambda.Handler
		event []byte
	}{
		{"authorizer", must(awslambda.NewAuthorizer(refuses, func(o *awslambda.AuthorizerOptions) { o.Logger = log })), authEvent(query)},
		{"connect", inFront, socketEvent("CONNECT", func(e, _ map[string]any) { query(e) })},
		{"message without a user", behindAuth, socketEvent("MESSAGE", func(e, _ map[string]any) { e["body"] = canary })},
		{"message that is no base64", behindAuth, socketEvent("MESSAGE", func(e, rc map[string]any) {
			asAnn(e, rc)
			e["body"], e["isBase64Encoded"] = canary+"!", true
		})},
		{"context", behindAuth, socketEvent("CONNECT", func(_, rc map[string]any) {
			rc["authorizer"] = map[string]any{"user_id": "ann", "grants": canary}
		})},
		{"queue", push, sqsEvent(canary, `{"users":["ann"],"data":"`+canary+`"`, `{"users":["`+canary+`"]}`, `{"users":"`+canary+`","data":1}`)},
		{"stream", push, kinesisEvent(canary, `{"`+canary+`":`)},
		{"topic", push, golden(t, "sns-event.json", "Hello from SNS!", canary)},
		{"checks", must(awslambda.NewPresence(watcher, func(o *awslambda.PresenceOptions) { o.Logger = log })), sqsEvent(canary, `{"type":"`+canary+`"}`)},
		{"backend", backend, sqsEvent(canary, `"`+canary)},
		{"backend's topic", backend, golden(t, "sns-event.json", "Hello from SNS!", canary)},
	} {
		before := len(text.String())
		_, err := tt.h.Invoke(t.Context(), tt.event)
		if err != nil && strings.Contains(err.Error(), canary) { // Lambda logs it.
			t.Errorf("%s: the error is %v", tt.name, err)
		}
		switch got := text.String()[before:]; {
		case got == "":
			t.Errorf("%s: nothing is logged", tt.name)
		case strings.Contains(got, canary):
			t.Errorf("%s: the log is %s", tt.name, got)
		}
	}
}
