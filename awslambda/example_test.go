package awslambda_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

// print shows what a handler answers. A Lambda's main has lambda.Start(h) instead.
func print(h awslambda.Handler, event string) {
	out, err := h.Invoke(context.Background(), []byte(event))
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println(string(out))
}

func ExampleNewAuthorizer() {
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		if len(r.Query["authorization"]) == 0 { // package authorizer does this for tokens
			return sumu.Identity{}, sumu.ErrUnauthorized
		}
		return sumu.Identity{UserID: "ann", ExpiresAt: time.Unix(1800000000, 0)}, nil
	})
	h, err := awslambda.NewAuthorizer(auth)
	if err != nil {
		panic(err)
	}
	print(h, `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:1:a/prod/$connect",
		"queryStringParameters":{"authorization":"…"},"requestContext":{"connectionId":"c1"}}`)
	print(h, `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:1:a/prod/$connect",
		"queryStringParameters":null,"requestContext":{"connectionId":"c2"}}`)
	// Output:
	// {"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":["execute-api:Invoke"],"Effect":"Allow","Resource":["arn:aws:execute-api:us-east-1:1:a/prod/$connect"]}]},"context":{"expires_at":1800000000,"grants":"","user_id":"ann"}}
	// error: Unauthorized
}

func ExampleNewWebSocket() {
	app, err := sumu.NewApp(awslambda.ContextAuthorizer(), new(memstore.Store))
	if err != nil {
		panic(err)
	}
	h, err := awslambda.NewWebSocket(app)
	if err != nil {
		panic(err)
	}
	print(h, `{"requestContext":{"eventType":"MESSAGE","connectionId":"c1","authorizer":{"user_id":"ann"}},"body":"{\"action\":\"ping\"}"}`)
	// Output:
	// {"statusCode":200,"headers":null,"multiValueHeaders":null,"body":"{\"type\":\"pong\",\"statusCode\":200,\"connectionId\":\"c1\"}"}
}

func ExampleContextAuthorizer() {
	auth := awslambda.ContextAuthorizer()
	_, err := auth.Authorize(context.Background(), &sumu.ConnectRequest{})
	fmt.Println("outside of an event:", errors.Is(err, sumu.ErrUnauthorized))
	// Output:
	// outside of an event: true
}

func ExampleNewPusher() {
	store := new(memstore.Store) // dynamostore
	push, err := pusher.New(store, new(postLog))
	if err != nil {
		panic(err)
	}
	worker, err := pusher.NewWorker(push, new(requeued)) // sqsnotify
	if err != nil {
		panic(err)
	}
	h, err := awslambda.NewPusher(worker)
	if err != nil {
		panic(err)
	}
	print(h, `{"Records":[
		{"eventSource":"aws:sqs","messageId":"m1","body":"{\"users\":[\"ann\"],\"data\":{\"text\":\"hi\"}}"},
		{"eventSource":"aws:sqs","messageId":"m2","body":"nonsense"}]}`)
	// Output:
	// {"batchItemFailures":[{"itemIdentifier":"m2"}]}
}

func ExampleNewPresence() {
	store := new(memstore.Store) // dynamostore
	watcher, err := presence.New(store, sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		fmt.Println(e.ID(), e.Status)
		return nil
	}))
	if err != nil {
		panic(err)
	}
	h, err := awslambda.NewPresence(watcher)
	if err != nil {
		panic(err)
	}
	_ = store.Put(context.Background(), sumu.Connection{UserID: "ann", ID: "c1"})
	print(h, `{"Records":[{"eventSource":"aws:dynamodb","eventName":"INSERT","dynamodb":{"SequenceNumber":"1",
		"Keys":{"user_id":{"S":"ann"},"connection_id":{"S":"c1"}}}}]}`)
	// Output:
	// ann:1 ONLINE
	// {"batchItemFailures":[]}
}

func ExampleNewBackend() {
	h, err := awslambda.NewBackend(awslambda.BackendOptions{
		Message: func(_ context.Context, m sumu.BackendMessage) error {
			fmt.Printf("%s on %s says %s\n", m.UserID, m.ConnectionID, m.Body)
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	print(h, `{"Records":[{"eventSource":"aws:sns","Sns":{"MessageId":"m1","Message":"{\"text\":\"hi\"}","MessageAttributes":{
		"user_id":{"Type":"String","Value":"ann"},"connection_id":{"Type":"String","Value":"c1"}}}}]}`)
	// Output:
	// ann on c1 says {"text":"hi"}
	// null
}

func ExampleNewSchedule() {
	h, err := awslambda.NewSchedule(func(context.Context) error {
		fmt.Println("sweep and reconcile")
		return nil
	})
	if err != nil {
		panic(err)
	}
	print(h, `{"detail-type":"Scheduled Event","source":"aws.events"}`)
	// Output:
	// sweep and reconcile
	// null
}

func ExampleNewHTTP() {
	h, err := awslambda.NewHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s from %s", r.Method, r.URL.Path, r.RemoteAddr)
	}))
	if err != nil {
		panic(err)
	}
	print(h, `{"version":"2.0","rawPath":"/connect","requestContext":{"http":{"method":"POST","sourceIp":"192.0.2.1"}}}`)
	// Output:
	// {"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"},"multiValueHeaders":null,"body":"POST /connect from 192.0.2.1","cookies":null}
}

func ExampleNewLifecycle() {
	// In a program: iot.NewLifecycle(store, store), and its method Handle.
	l, err := awslambda.NewLifecycle(func(_ context.Context, event []byte) error {
		fmt.Println("applied:", string(event))
		return nil
	})
	if err != nil {
		panic(err)
	}
	print(l, `{"clientId":"ann-x","eventType":"connected","timestamp":1573002230757,"versionNumber":0}`)
	// Output:
	// applied: {"clientId":"ann-x","eventType":"connected","timestamp":1573002230757,"versionNumber":0}
	// null
}

func ExampleNewMux() {
	backend, err := awslambda.NewBackend(awslambda.BackendOptions{
		Message: func(context.Context, sumu.BackendMessage) error { return nil },
	})
	if err != nil {
		panic(err)
	}
	m, err := awslambda.NewMux(
		awslambda.Route{Kind: awslambda.KindSQS, Source: "output", Handler: backend},
		awslambda.Route{Kind: awslambda.KindSNS, Handler: backend},
	)
	if err != nil {
		panic(err)
	}
	print(m, `{"hello":"world"}`)
	// Output:
	// error: awslambda: event is of no known kind: no Records, no requestContext of a connection or of a request, no schedule, no lifecycle: invalid
}

func ExampleCheckMessage() {
	fmt.Println(awslambda.CheckMessage("ann"))
	// Output:
	// {"type":"presence.check","user_id":"ann"}
}
