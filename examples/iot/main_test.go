package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/issuer"
)

var (
	discard = slog.New(slog.DiscardHandler)
	account = map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
)

func of(vars ...map[string]string) *settings {
	all := maps.Clone(account)
	for _, v := range vars {
		maps.Copy(all, v)
	}
	return &settings{lookup: func(name string) (string, bool) { v, ok := all[name]; return v, ok }}
}

func TestSettings(t *testing.T) {
	nothing := func(part string) *settings {
		return &settings{lookup: func(name string) (string, bool) {
			if name == "SUMU_PART" {
				return part, true
			}
			return "", false
		}}
	}
	for part, want := range map[string][]string{
		"":          {"SUMU_PART is not set"},
		"secret":    {"SUMU_PART is none of"},
		"vendor":    {"JWT_ISSUER_JWKS_URI is not set", "JWT_AUTHORIZED_AUDIENCES is not set", "JWT_ISSUER is not set"},
		"lifecycle": {"AWS_REGION is not set", "AWS_ACCESS_KEY_ID is not set", "AWS_SECRET_ACCESS_KEY is not set"},
		"backend":   {"AWS_REGION is not set"},
		"pusher":    {"SUMU_REQUESTS_QUEUE_URL is not set", "SUMU_IOT_ENDPOINT is not set", "AWS_REGION is not set"},
	} {
		_, err := newHandler(nothing(part), discard)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v lacks %q", part, err, w)
			}
		}
	}
}

// fakeSTS vends, and tells the policy that it was asked for.
func fakeSTS(t *testing.T, policy *string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*policy = r.FormValue("Policy")
		fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>sEcReT</SecretAccessKey>`+
			`<SessionToken>tOkEn</SessionToken><Expiration>2026-11-20T13:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestVendor(t *testing.T) {
	iss, err := issuer.New("ES256")
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(iss)
	defer keys.Close()
	var policy string
	vars := map[string]string{
		"SUMU_PART": "vendor", "JWT_ISSUER_JWKS_URI": keys.URL + "/.well-known/jwks.json", "JWT_AUTHORIZED_AUDIENCES": "app", "JWT_ISSUER": "https://issuer.example.com",
		"JWT_GRANTS": "join:room.{claims.org}", "SUMU_CLIENT_ROLE_ARN": "arn:aws:iam::123456789012:role/client",
		"SUMU_IOT_ENDPOINT": "a1-ats.iot.eu-west-1.amazonaws.com", "AWS_ENDPOINT_URL_STS": fakeSTS(t, &policy),
	}
	h, err := newHandler(of(vars), discard)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string) (status int, body string) {
		t.Helper()
		out, err := h.Invoke(t.Context(), fmt.Appendf(nil, `{"version":"2.0","rawPath":"/","headers":{"authorization":"Bearer %s"},
			"requestContext":{"domainName":"x.lambda-url.eu-west-1.on.aws","http":{"method":"POST","path":"/","sourceIp":"192.0.2.1"}}}`, token))
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			StatusCode int
			Body       string
		}
		if err := json.Unmarshal(out, &a); err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, a.Body
	}
	token, err := iss.Sign(map[string]any{
		"iss": "https://issuer.example.com", "aud": "app", "sub": "ann", "org": "acme", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	status, body := ask(token)
	if status != 200 || !strings.Contains(body, `"url":"wss://a1-ats.iot.eu-west-1.amazonaws.com/mqtt?`) || !strings.Contains(policy, "topic/channels/room.acme") {
		t.Errorf("%d %s, with %s", status, body, policy)
	}
	if status, body := ask("none"); status != 401 || strings.Contains(body, "url") {
		t.Errorf("a bad token: %d %s", status, body)
	}
	vars["SUMU_SESSION"] = "2h"
	if _, err := newHandler(of(vars), discard); err == nil || !strings.Contains(err.Error(), "in Lambda, gets 1h at most") {
		t.Errorf("a session of 2 h: %v", err)
	}
}

// A client connects, and what a backend puts into the queue is sent to it.
func TestLifecycleAndPusher(t *testing.T) {
	tables := components.Dynoxide(t)
	vars := map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": tables, "SUMU_CONNECTIONS_TABLE": "iot-connections", "SUMU_STATE_TABLE": "iot-state",
		"SUMU_CLIENT_ROLE_ID": "AROAEXAMPLEID1234567", "SUMU_IOT_ENDPOINT": "unused", "SUMU_REQUESTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/requests",
	}
	s := of(vars)
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", BaseEndpoint: &tables, Credentials: s.credentials()})
	err := dynamostore.CreateTables(t.Context(), db, func(o *dynamostore.Options) { o.Connections, o.State = "iot-connections", "iot-state" })
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan string, 10)
	plane := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent <- r.URL.Path + " on " + r.FormValue("topic")
	}))
	defer plane.Close()
	vars["AWS_ENDPOINT_URL_IOT_DATA_PLANE"] = plane.URL

	part := func(name string) func(event string) string {
		h, err := newHandler(of(vars, map[string]string{"SUMU_PART": name}), discard)
		if err != nil {
			t.Fatal(err)
		}
		return func(event string) string {
			t.Helper()
			out, err := h.Invoke(t.Context(), []byte(event))
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
	}
	queued := func(body string) string {
		return fmt.Sprintf(`{"Records":[{"messageId":"m1","body":%s,"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-west-1:1:q"}]}`,
			strconv.Quote(body))
	}
	const id = "ann-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	event := func(eventType string) string {
		return fmt.Sprintf(`{"clientId":%q,"timestamp":%d,"eventType":%q,"versionNumber":0,"principalIdentifier":"AROAEXAMPLEID1234567:%s"}`,
			id, time.Now().UnixMilli(), eventType, id)
	}
	lifecycle, push := part("lifecycle"), part("pusher")
	if out := lifecycle(queued(event("connected"))); !strings.Contains(out, `"batchItemFailures":[]`) {
		t.Errorf("answer is %s", out)
	}
	push(queued(`{"id":"n1","users":["ann"],"data":{"x":1}}`))
	select {
	case got := <-sent:
		if want := "/connections/" + id + "/messages on sumu/ann/" + id; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	default:
		t.Error("nothing was sent")
	}
	lifecycle(event("disconnected"))
	push(queued(`{"id":"n2","users":["ann"],"data":{"x":2}}`))
	if len(sent) > 0 {
		t.Errorf("sent %s to one who is gone", <-sent)
	}
}

// What a client has published for backends gets to the topic and the queue, with
// the attributes that backends know.
func TestBackend(t *testing.T) {
	var sent []string
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		if strings.Contains(r.Header.Get("X-Amz-Target"), "SQS") {
			fmt.Fprint(w, `{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"ac3ef48caa08fa3ed5e025da69edc645"}]}`) // Of {"x":1}; the SDK checks it.
			return
		}
		fmt.Fprint(w, `<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id><MessageId>m</MessageId></member></Successful></PublishBatchResult></PublishBatchResponse>`)
	}))
	defer aws.Close()
	h, err := newHandler(of(map[string]string{
		"SUMU_PART": "backend", "AWS_ENDPOINT_URL": aws.URL, "SUMU_OUTPUT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:messages",
		"SUMU_OUTPUT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/messages",
	}), discard)
	if err != nil {
		t.Fatal(err)
	}
	const id = "ann-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, action := range []string{"publish", "send"} {
		sent = nil
		body := fmt.Sprintf(`{"data":"eyJ4IjoxfQ==","client_id":%q,"topic":"sumu-backend/ann/%s/%s","timestamp":1796126400123,"id":"trace"}`, id, id, action)
		out, err := h.Invoke(t.Context(), fmt.Appendf(nil, `{"Records":[{"messageId":"m1","body":%q,"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-west-1:1:q"}]}`, body))
		if err != nil || !strings.Contains(string(out), `"batchItemFailures":[]`) || len(sent) != 1 {
			t.Fatalf("%s: %s, %v, sent %q", action, out, err, sent)
		}
		for _, want := range []string{"user_id", "ann", "connection_id", id, "1796126400123", "apigw.route." + action} {
			if !strings.Contains(sent[0], want) {
				t.Errorf("%s: sent %s, want %q in it", action, sent[0], want)
			}
		}
	}
}
