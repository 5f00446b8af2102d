package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/issuer"
)

// coldWorld is what the functions find: tables, queues, an issuer of tokens, and
// a server that takes posts to connections. All of it is reached over TLS, as on
// AWS: a first connection reads the system's root certificates.
type coldWorld struct {
	dynamo *dynamo
	sqs    *sqs.Client
	urls   map[string]string // of queues
	issuer *issuer.Issuer
	web    string // the address of the issuer and of the server
	posts  atomic.Int64
	users  int               // so far: each event has one of its own
	vars   map[string]string // of every function
	tokens map[string]string // of one that verifies tokens, beside those
	secure *tls.Config
	closes []func() error
}

// newColdWorld keeps files in dir.
func newColdWorld(ctx context.Context, dir string) (w *coldWorld, err error) {
	w = &coldWorld{urls: make(map[string]string)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
			w = nil
		}
	}()
	bundle, err := w.certify(dir)
	if err != nil {
		return w, err
	}
	endpoints, behind := make(map[string]string), make(map[string]string)
	for _, name := range []string{emulatorDynamo, emulatorSQS} {
		e, err := startEmulator(ctx, name)
		if err != nil {
			return w, err
		}
		w.closes = append(w.closes, func() error { e.stop(); return nil })
		endpoints[name] = e.endpoint
		if behind[name], err = w.front(e.endpoint); err != nil {
			return w, err
		}
	}
	if w.dynamo, err = newDynamo(ctx, endpoints[emulatorDynamo], "coldstart", 16); err != nil {
		return w, err
	}
	w.closes = append(w.closes, func() error { w.dynamo.close(); return nil })
	endpoint := endpoints[emulatorSQS]
	transport := &http.Transport{}
	w.closes = append(w.closes, func() error { transport.CloseIdleConnections(); return nil })
	w.sqs = sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: emulatorCredentials, HTTPClient: &http.Client{Transport: transport},
	})
	for _, name := range []string{"output", "requests", "checks", "presence"} {
		q, err := w.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("coldstart-" + name)})
		if err != nil {
			return w, err
		}
		w.urls[name] = *q.QueueUrl
	}
	if w.issuer, err = issuer.New("RS256"); err != nil {
		return w, err
	}
	mux := http.NewServeMux()
	mux.Handle(issuer.Path, w.issuer)
	mux.HandleFunc("POST /prod/@connections/", func(http.ResponseWriter, *http.Request) { w.posts.Add(1) })
	address, stop, err := serveLocally(mux, w.secure)
	if err != nil {
		return w, err
	}
	w.closes = append(w.closes, stop)
	w.web = "https://" + address
	w.vars = map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
		"AWS_ENDPOINT_URL": behind[emulatorSQS], "AWS_ENDPOINT_URL_DYNAMODB": behind[emulatorDynamo],
		"SUMU_CONNECTIONS_TABLE": "coldstart-connections", "SUMU_STATE_TABLE": "coldstart-state",
		"SUMU_OUTPUT_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:coldstart", "SUMU_OUTPUT_QUEUE_URL": w.urls["output"],
		"SUMU_REQUESTS_QUEUE_URL": w.urls["requests"], "SUMU_CHECKS_QUEUE_URL": w.urls["checks"],
		"SUMU_PRESENCE_QUEUE_URL": w.urls["presence"], "SUMU_PRESENCE_GRACE": "0s", "SUMU_MANAGEMENT_HOSTS": address,
		// As the functions set them themselves where they find Lambda's bundle.
		"SSL_CERT_FILE": bundle, certDir: "/nonexistent",
	}
	w.tokens = map[string]string{
		"JWT_ISSUER_JWKS_URI": w.web + issuer.Path, "JWT_ISSUER": w.web, "JWT_AUTHORIZED_AUDIENCES": "chat",
	}
	return w, nil
}

// certDir is the variable without which root certificates are read twice: from
// the bundle, and from the system's folders.
const certDir = "SSL_CERT_DIR"

// certify makes a certificate, and a bundle of root certificates that has it
// beside the system's.
func (w *coldWorld) certify(dir string) (bundle string, err error) {
	cert, err := certificate()
	if err != nil {
		return "", err
	}
	w.secure = &tls.Config{Certificates: []tls.Certificate{cert}}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	for _, file := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} {
		if system, err := os.ReadFile(file); err == nil {
			text = append(text, system...)
			break
		}
	}
	bundle = filepath.Join(dir, "roots.pem")
	return bundle, os.WriteFile(bundle, text, 0o600)
}

// front serves over TLS what an emulator serves without.
func (w *coldWorld) front(endpoint string) (string, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog:  log.New(io.Discard, "", 0), // Functions are killed in the middle.
	}
	address, stop, err := serveLocally(proxy, w.secure)
	if err != nil {
		return "", err
	}
	w.closes = append(w.closes, func() error { err := stop(); transport.CloseIdleConnections(); return err })
	return "https://" + address, nil
}

func (w *coldWorld) close() (err error) {
	for _, f := range slices.Backward(w.closes) {
		err = errors.Join(err, f())
	}
	return err
}

// env is the environment of a function, as lines, but for some.
func (w *coldWorld) env(name string, without ...string) (lines []string) {
	vars := maps.Clone(w.vars)
	if name == "authorizer" {
		maps.Copy(vars, w.tokens)
	}
	for k, v := range vars {
		if !slices.Contains(without, k) {
			lines = append(lines, k+"="+v)
		}
	}
	return lines
}

func (w *coldWorld) token(user string) (string, error) {
	return w.issuer.Sign(map[string]any{"iss": w.web, "aud": "chat", "sub": user, "exp": time.Now().Add(time.Hour).Unix()})
}

// event makes what a function is asked next, for a new user, and what its answer
// must have.
func (w *coldWorld) event(ctx context.Context, name string) (event []byte, want string, err error) {
	w.users++
	user := fmt.Sprintf("cold-%d", w.users)
	conn := sumu.Connection{
		UserID: user, ID: "c-" + user, Endpoint: w.web + "/prod", ConnectedAt: time.Now(), DeleteAt: time.Now().Add(time.Hour),
	}
	type m = map[string]any
	var e m
	want = `{"batchItemFailures":[]}`
	switch name {
	case "authorizer":
		token, err := w.token(user)
		if err != nil {
			return nil, "", err
		}
		want = `"Effect":"Allow"`
		e = m{
			"type": "REQUEST", "methodArn": "arn:aws:execute-api:us-east-1:123456789012:abc/prod/$connect",
			"queryStringParameters": m{"authorization": token}, "requestContext": m{"connectionId": conn.ID},
		}
	case "websocket":
		want = `"statusCode":200`
		e = m{"requestContext": m{
			"eventType": "CONNECT", "routeKey": "$connect", "connectionId": conn.ID, "requestId": "r", "stage": "prod",
			"domainName": "abc.execute-api.us-east-1.amazonaws.com", "authorizer": m{"principalId": user},
		}}
	case "pusher":
		if err := w.dynamo.Put(ctx, conn); err != nil {
			return nil, "", err
		}
		n, err := sumu.Notification{ID: "n-" + user, Users: []string{user}, Data: message(0)}.MarshalJSON()
		if err != nil {
			return nil, "", err
		}
		e = m{"Records": []m{{
			"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:coldstart-requests", "messageId": "m-" + user, "body": string(n),
		}}}
	case "presence":
		if err := w.dynamo.Put(ctx, conn); err != nil {
			return nil, "", err
		}
		e = m{"Records": []m{{"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": m{
			"SequenceNumber": strconv.Itoa(w.users), "Keys": m{"user_id": m{"S": user}, "connection_id": m{"S": conn.ID}},
		}}}}
	default:
		return nil, "", errors.New("no such function")
	}
	event, err = json.Marshal(e)
	return event, want, err
}

// effects counts what a function has done so far; -1 for one that only answers.
func (w *coldWorld) effects(ctx context.Context, name string) (int, error) {
	switch name {
	case "websocket": // The rows of all connections, of which others put some.
		n := 0
		for c, err := range w.dynamo.All(ctx, sumu.Segment{}) {
			if err != nil {
				return 0, err
			}
			if !strings.HasPrefix(c.Endpoint, w.web) {
				n++
			}
		}
		return n, nil
	case "pusher":
		return int(w.posts.Load()), nil
	case "presence":
		const name = types.QueueAttributeNameApproximateNumberOfMessages
		url := w.urls["presence"]
		out, err := w.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{name}})
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(out.Attributes[string(name)])
	}
	return -1, nil
}
