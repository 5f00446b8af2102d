package serverless_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/internal/testlog"
)

// sockets stands in for the management API: it keeps what is posted.
type sockets struct {
	mu    sync.Mutex
	posts map[string][]string // by connection
}

func (s *sockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, id, ok := strings.Cut(r.URL.Path, "/@connections/")
	if !ok || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts[id] = append(s.posts[id], string(body))
}

func (s *sockets) of(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.posts[id], "\n")
}

// stack is the five functions, the tables and the queues between them.
type stack struct {
	t      *testing.T
	iss    *issuer.Issuer
	posted *sockets
	issuer string
	queues *sqs.Client
	urls   map[string]string // of the queues

	authorizer, websocket, pusher, presence, backend *function
}

func newStack(t *testing.T, more ...string) *stack {
	dynamo, fauxqs := components.Dynoxide(t), components.Fauxqs(t)
	iss, err := issuer.New("ES256")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, iss: iss, posted: &sockets{posts: make(map[string][]string)}, urls: make(map[string]string)}
	provider, management := httptest.NewServer(iss), httptest.NewServer(s.posted)
	s.issuer = provider.URL
	t.Cleanup(provider.Close)
	t.Cleanup(management.Close)
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
	})
	ctx := t.Context()
	tables := dynamodb.New(dynamodb.Options{Region: "us-east-1", Credentials: creds, BaseEndpoint: &dynamo})
	if err := dynamostore.CreateTables(ctx, tables, func(o *dynamostore.Options) { o.Connections, o.State = "serverless-c", "serverless-s" }); err != nil {
		t.Fatal(err)
	}
	s.queues = sqs.New(sqs.Options{Region: "us-east-1", Credentials: creds, BaseEndpoint: &fauxqs})
	topics := sns.New(sns.Options{Region: "us-east-1", Credentials: creds, BaseEndpoint: &fauxqs})
	for _, name := range []string{"output", "requests", "checks"} {
		q, err := s.queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("serverless-" + name)})
		if err != nil {
			t.Fatal(err)
		}
		s.urls[name] = *q.QueueUrl
	}
	topic, err := topics.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("serverless-events")})
	if err != nil {
		t.Fatal(err)
	}
	// In SNS's envelope: without raw delivery.
	_, err = topics.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:us-east-1:000000000000:serverless-output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(management.URL, "http://")
	vars := []string{
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL=" + fauxqs, "AWS_ENDPOINT_URL_DYNAMODB=" + dynamo,
		"SUMU_CONNECTIONS_TABLE=serverless-c", "SUMU_STATE_TABLE=serverless-s",
		"SUMU_OUTPUT_TOPIC_ARN=" + *topic.TopicArn, "SUMU_OUTPUT_QUEUE_URL=" + s.urls["output"],
		"SUMU_PRESENCE_TOPIC_ARN=" + *topic.TopicArn, "SUMU_CHECKS_QUEUE_URL=" + s.urls["checks"], "SUMU_PRESENCE_GRACE=0s",
		"SUMU_REQUESTS_QUEUE_URL=" + s.urls["requests"], "SUMU_MANAGEMENT_HOSTS=" + host, "SUMU_MANAGEMENT_ENDPOINT=" + management.URL + "/prod",
	}
	vars = append(vars, more...)
	// Of the authorizer alone: a websocket that has them verifies tokens itself.
	tokens := []string{"JWT_ISSUER_JWKS_URI=" + provider.URL + issuer.Path, "JWT_ISSUER=" + provider.URL, "JWT_AUTHORIZED_AUDIENCES=chat"}
	for name, into := range map[string]**function{
		"authorizer": &s.authorizer, "websocket": &s.websocket, "pusher": &s.pusher, "presence": &s.presence, "backend": &s.backend,
	} {
		own := vars
		if name == "authorizer" {
			own = append(slices.Clone(vars), tokens...)
		}
		*into = start(t, name, testLog{t, name}, own...)
	}
	return s
}

// testLog shows the log of a function where a test fails. make test looks at it too.
type testLog struct {
	t    *testing.T
	name string
}

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s: %s", l.name, p)
	testlog.Logger().Debug("function", "name", l.name, "log", string(p))
	return len(p), nil
}

// ask invokes a function that must not fail.
func ask(t *testing.T, f *function, event any) string {
	t.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	answer, failed := f.invoke(string(text))
	if failed != "" {
		t.Fatalf("%s: %s", text, failed)
	}
	return answer
}

// socket is an event of a user's connection, whose id is "c-" and the user.
func (s *stack) socket(kind, user, body string, authorizer any) string {
	return ask(s.t, s.websocket, events.APIGatewayWebsocketProxyRequest{
		Body: body,
		RequestContext: events.APIGatewayWebsocketProxyRequestContext{
			EventType: kind, ConnectionID: "c-" + user, DomainName: "abc.execute-api.us-east-1.amazonaws.com", Stage: "prod",
			RequestID: "r", Authorizer: authorizer,
		},
	})
}

// authorize returns the context that API Gateway repeats with every event.
func (s *stack) authorize(user string) map[string]any {
	token, err := s.iss.Sign(map[string]any{"iss": s.issuer, "aud": "chat", "sub": user, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		s.t.Fatal(err)
	}
	answer := ask(s.t, s.authorizer, map[string]any{
		"type": "REQUEST", "methodArn": "arn:aws:execute-api:us-east-1:123456789012:abc/prod/$connect",
		"queryStringParameters": map[string]string{"authorization": token},
		"requestContext":        map[string]string{"connectionId": "c-" + user},
	})
	var policy events.APIGatewayCustomAuthorizerResponse
	if err := json.Unmarshal([]byte(answer), &policy); err != nil {
		s.t.Fatal(err)
	}
	policy.Context["principalId"] = policy.PrincipalID
	return policy.Context
}

// changed is a record of the connections table's stream.
func (s *stack) changed(kind, user string) {
	s.t.Helper()
	key := func(v string) map[string]string { return map[string]string{"S": v} }
	answer := ask(s.t, s.presence, map[string]any{"Records": []any{map[string]any{
		"eventSource": "aws:dynamodb", "eventName": kind,
		"dynamodb": map[string]any{"SequenceNumber": "1", "Keys": map[string]any{"user_id": key(user), "connection_id": key("c-" + user)}},
	}}})
	if answer != `{"batchItemFailures":[]}` {
		s.t.Errorf("presence of %s: %s", user, answer)
	}
}

// drain does what Lambda's event source mapping does, until want messages of a
// queue are handled.
func (s *stack) drain(queue string, f *function, want int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	url := s.urls[queue]
	for done := 0; done < want; {
		out, err := s.queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		if err != nil {
			s.t.Fatalf("%d of %d messages came to %s: %v", done, want, queue, err)
		}
		if len(out.Messages) == 0 {
			continue
		}
		var event events.SQSEvent
		for _, m := range out.Messages {
			r := events.SQSMessage{
				MessageId: *m.MessageId, Body: *m.Body, Attributes: m.Attributes, EventSource: "aws:sqs",
				EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:serverless-" + queue, MessageAttributes: map[string]events.SQSMessageAttribute{},
			}
			for name, a := range m.MessageAttributes {
				r.MessageAttributes[name] = events.SQSMessageAttribute{StringValue: a.StringValue, DataType: *a.DataType}
			}
			event.Records = append(event.Records, r)
		}
		if answer := ask(s.t, f, event); answer != `{"batchItemFailures":[]}` {
			s.t.Fatalf("messages of %s failed: %s", queue, answer)
		}
		for _, m := range out.Messages {
			if _, err := s.queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				s.t.Fatal(err)
			}
		}
		done += len(out.Messages)
	}
}
