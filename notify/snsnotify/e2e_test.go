package snsnotify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// real are clients of a program that speaks SNS and SQS.
type real struct {
	sns *sns.Client
	sqs *sqs.Client
}

func realSNS(t *testing.T) real {
	t.Helper()
	endpoint := components.Fauxqs(t)
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
	})
	return real{
		sns: sns.New(sns.Options{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: creds}),
		sqs: sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: creds}),
	}
}

// subscribe makes a topic and a queue behind it.
func (r real) subscribe(t *testing.T, name string, raw bool) (topicARN, queueURL string) {
	t.Helper()
	var fifo map[string]string
	if strings.HasSuffix(name, ".fifo") {
		fifo = map[string]string{"FifoTopic": "true"}
	}
	topic, err := r.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name, Attributes: fifo})
	if err != nil {
		t.Fatal(err)
	}
	if fifo != nil {
		fifo = map[string]string{"FifoQueue": "true"}
	}
	queue, err := r.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: fifo})
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := r.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.sns.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(attributes.Attributes["QueueArn"]),
		Attributes: map[string]string{"RawMessageDelivery": fmt.Sprint(raw)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *topic.TopicArn, *queue.QueueUrl
}

// receive polls the queue until n messages are handled.
func (r real) receive(t *testing.T, queueURL string, n int) (got []sumu.Delivery) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := sqsnotify.Poll(ctx, r.sqs, queueURL, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
		if got = append(got, msgs...); len(got) >= n {
			stop()
		}
		return make([]sumu.Outcome, len(msgs))
	}, func(o *sqsnotify.PollOptions) { o.Wait = time.Second })
	if err != nil || len(got) < n {
		t.Fatalf("Poll: %v, after %d of %d messages", err, len(got), n)
	}
	return got
}

// A queue behind a topic yields the same, with an envelope or without.
func TestRealTopic(t *testing.T) {
	r := realSNS(t)
	for name, raw := range map[string]bool{"wrapped": false, "bare": true} {
		t.Run(name, func(t *testing.T) {
			topicARN, queueURL := r.subscribe(t, name, raw)
			client, err := snsnotify.New(r.sns, topicARN)
			if err != nil {
				t.Fatal(err)
			}
			backend, err := snsnotify.Backend(r.sns, topicARN)
			if err != nil {
				t.Fatal(err)
			}
			var ns []sumu.Notification
			for i := range 12 {
				ns = append(ns, sumu.Notification{ID: fmt.Sprint("n", i), Users: []string{"ann"}, Data: json.RawMessage(`{"s": "<` + "\uFFFE" + `é&+\" \\"}`)})
			}
			m := sumu.BackendMessage{UserID: "ann", ConnectionID: "abc=", Source: "apigw.route.publish", Timestamp: time.UnixMilli(7), Body: json.RawMessage(`{"hi": 1}`)}
			if err := errors.Join(append(client.SendBatch(t.Context(), ns...), backend(t.Context(), m))...); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, m := range r.receive(t, queueURL, 13) {
				if string(m.Body) == `{"hi": 1}` {
					if m.Attributes["user_id"] != "ann" || m.Attributes["connection_id"] != "abc=" ||
						m.Attributes["timestamp"] != "7" || m.Attributes["source"] != "apigw.route.publish" {
						t.Errorf("attributes: %v", m.Attributes)
					}
					continue
				}
				n, err := sumu.ParseNotification(m.Body)
				if err != nil {
					t.Fatal(err)
				}
				if want := `{"s": "<\ufffeé&+\" \\"}`; string(n.Data) != want {
					t.Errorf("data: got %s, want %s", n.Data, want)
				}
				ids = append(ids, n.ID)
			}
			slices.Sort(ids)
			if len(slices.Compact(ids)) != 12 {
				t.Errorf("got %v", ids)
			}
		})
	}
}

func TestRealFIFOTopic(t *testing.T) {
	r := realSNS(t)
	topicARN, queueURL := r.subscribe(t, "ordered.fifo", true)
	client, err := snsnotify.New(r.sns, topicARN)
	if err != nil {
		t.Fatal(err)
	}
	ns := []sumu.Notification{toUser("n0", "ann"), toUser("n1", "ann"), toUser("n0", "ann"), toUser("n2", "ann")}
	if err := errors.Join(client.SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range r.receive(t, queueURL, 3) {
		n, err := sumu.ParseNotification(m.Body)
		if err != nil || m.Group != "ann" {
			t.Fatalf("group %q, %v", m.Group, err)
		}
		ids = append(ids, n.ID)
	}
	if want := []string{"n0", "n1", "n2"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
}

func TestRealErrors(t *testing.T) {
	r := realSNS(t)
	topicARN, _ := r.subscribe(t, "present", true)
	client, err := snsnotify.New(r.sns, strings.Replace(topicARN, "present", "absent", 1))
	if err != nil {
		t.Fatal(err)
	}
	var noTopic *types.NotFoundException
	if err := client.Send(t.Context(), toUser("n1", "ann")); !errors.Is(err, sumu.ErrInvalid) || !errors.As(err, &noTopic) {
		t.Errorf("got %v", err)
	}
}
