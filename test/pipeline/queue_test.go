package pipeline

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (w *world) newQueue(t *testing.T, name string, attributes map[string]string) (url, arn string) {
	t.Helper()
	out, err := w.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: out.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl, got.Attributes["QueueArn"]
}

func (w *world) newQueues(t *testing.T) {
	t.Helper()
	deadURL, deadARN := w.newQueue(t, w.name+"-dead", nil)
	w.deadURL, w.deadARN = deadURL, deadARN
	w.queueURL, w.queueARN = w.newQueue(t, w.name, map[string]string{"RedrivePolicy": w.redrive(5)})
}

// redrive is the policy of a queue whose messages are given up when they were
// received so often.
func (w *world) redrive(receives int) string {
	return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`, w.deadARN, receives)
}

// topic returns the ARN of a topic in front of the queue.
func (w *world) topic(t *testing.T, raw bool) string {
	t.Helper()
	topic, err := w.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &w.name})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.sns.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &w.queueARN,
		Attributes: map[string]string{"RawMessageDelivery": fmt.Sprint(raw)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *topic.TopicArn
}

// held returns how many messages a queue holds: to be received, received and
// not removed, and delayed.
func (w *world) held(t *testing.T, url string) map[string]string {
	t.Helper()
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := w.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Attributes) != len(names) {
		t.Fatalf("attributes: %v", out.Attributes)
	}
	return out.Attributes
}

func (w *world) empty(t *testing.T, url string) bool {
	t.Helper()
	for _, n := range w.held(t, url) {
		if n != "0" {
			return false
		}
	}
	return true
}

// peek returns the body of a message that stays in the queue.
func (w *world) peek(t *testing.T) string {
	t.Helper()
	out, err := w.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &w.queueURL, WaitTimeSeconds: 5})
	if err != nil || len(out.Messages) == 0 {
		t.Fatalf("%d messages, %v", len(out.Messages), err)
	}
	_, err = w.sqs.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &w.queueURL, ReceiptHandle: out.Messages[0].ReceiptHandle, VisibilityTimeout: 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Messages[0].Body
}
