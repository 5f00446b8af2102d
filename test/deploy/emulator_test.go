package deploy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
)

var fake = aws.Credentials{AccessKeyID: "AKIAFAKE", SecretAccessKey: "fake"}

// post sends what a template rendered, signed as API Gateway signs it.
func post(t *testing.T, service, url, contentType, target, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), fake, req, hex.EncodeToString(hash[:]), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d: %s", service, resp.StatusCode, text)
	}
	return string(text)
}

// The rendered form of publish, sent to SNS as API Gateway sends it, comes out
// as a backend expects it. (The emulator of SQS takes no forms: that of send is
// compared field by field elsewhere.)
func TestRenderedFormReachesTheBackend(t *testing.T) {
	e := newEngine(t)
	endpoint := components.Fauxqs(t)
	creds := credentials.StaticCredentialsProvider{Value: fake}
	queues := sqs.New(sqs.Options{BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: creds})
	topics := sns.New(sns.Options{BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: creds})
	name := "deploy-" + strings.ToLower(rand.Text()[:10])
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	topic, err := topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	arn := attributes.Attributes["QueueArn"]
	_, err = topics.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn, Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}

	const user, connection = `ann "o'brien" & $co=1 ü`, "L0SM9cOFvHcCIhw="
	// 128 KB of it, which the form writes as several times as much.
	message := map[string]any{"text": strings.Repeat(`"\'&=+%$ä🦄 `, 100*1024/len(`"\'&=+%$ä🦄 `))}
	body, err := json.Marshal(map[string]any{"action": "publish", "message": message})
	if err != nil {
		t.Fatal(err)
	}
	form := e.render(t, rendering{
		Template: mapping(t, "publish", "${topic_arn}", *topic.TopicArn), Body: string(body), Context: context(user, connection),
	})
	answer := post(t, "sns", endpoint+"/", "application/x-www-form-urlencoded", "", form)
	got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: queue.QueueUrl, WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Messages) != 1 {
		t.Fatalf("%d messages arrived; the answer was %s", len(got.Messages), answer)
	}
	m := got.Messages[0]
	var text any
	if err := json.Unmarshal([]byte(*m.Body), &text); err != nil || !reflect.DeepEqual(text, normal(t, message)) {
		t.Errorf("the body is %.100s; %v", *m.Body, err)
	}
	for key, want := range map[string][2]string{
		"user_id": {"String", user}, "connection_id": {"String", connection},
		"timestamp": {"Number", "1575929040000"}, "source": {"String", "apigw.route.publish"},
	} {
		a := m.MessageAttributes[key]
		if aws.ToString(a.DataType) != want[0] || aws.ToString(a.StringValue) != want[1] {
			t.Errorf("%s is %q %q, want %q", key, aws.ToString(a.DataType), aws.ToString(a.StringValue), want)
		}
	}
}

// A row that API Gateway writes by itself is one that the store reads, and
// removes.
func TestRenderedRowIsTheStores(t *testing.T) {
	e := newEngine(t)
	endpoint := components.Dynoxide(t)
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: credentials.StaticCredentialsProvider{Value: fake},
	})
	table := "deploy-" + rand.Text()[:10]
	now := time.Unix(1575929040, 0)
	options := func(o *dynamostore.Options) {
		o.Connections, o.State, o.Now = table, table+"-state", func() time.Time { return now }
	}
	if err := dynamostore.CreateTables(t.Context(), client, options); err != nil {
		t.Fatal(err)
	}
	store, err := dynamostore.NewWithState(client, options)
	if err != nil {
		t.Fatal(err)
	}
	const user, connection = `ann "o'brien" \ ü`, "L0SM9cOFvHcCIhw="
	values := []string{"${connections_table}", table, "${endpoint}", "https://live.example.com/push"}
	call := func(operation, name string) {
		t.Helper()
		body := e.render(t, rendering{Template: mapping(t, name, values...), Body: "{}", Context: context(user, connection)})
		post(t, "dynamodb", endpoint, "application/x-amz-json-1.0", "DynamoDB_20120810."+operation, body)
	}
	call("PutItem", "connect")
	ref := sumu.ConnectionRef{UserID: user, ConnectionID: connection}
	got, err := store.Get(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	want := sumu.Connection{
		UserID: user, ID: connection, Endpoint: "https://live.example.com/push",
		ConnectedAt: time.UnixMilli(1575929000123), DeleteAt: now.Add(2*time.Hour + 10*time.Minute), AuthExpiresAt: time.Unix(1575932640, 0),
	}
	if got.UserID != want.UserID || got.ID != want.ID || got.Endpoint != want.Endpoint ||
		!got.ConnectedAt.Equal(want.ConnectedAt) || !got.DeleteAt.Equal(want.DeleteAt) || !got.AuthExpiresAt.Equal(want.AuthExpiresAt) {
		t.Errorf("the row is %+v\nwant %+v", got, want)
	}
	call("DeleteItem", "disconnect")
	if live, err := store.HasLive(t.Context(), user); err != nil || live {
		t.Errorf("live after disconnect: %v, %v", live, err)
	}
}
