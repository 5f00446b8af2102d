package sqsnotify_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// realSQS returns a client of a program that speaks SQS.
func realSQS(t *testing.T) *sqs.Client {
	t.Helper()
	endpoint := components.Fauxqs(t)
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	})
}

func createQueue(t *testing.T, client *sqs.Client, name string, attributes map[string]string) (url, arn string) {
	t.Helper()
	prefix := strings.ToLower(rand.Text()) + "-" // A run must not meet the queues of another, nor their deduplication.
	name = prefix + name
	if strings.HasSuffix(name, ".fifo") {
		attributes = map[string]string{"FifoQueue": "true"}
	}
	out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: out.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl, got.Attributes["QueueArn"]
}

// receiver polls a queue until it has got what it wants.
type receiver struct {
	mu   sync.Mutex
	got  []sumu.Delivery
	stop context.CancelFunc
}

// receive polls until n messages are handled; handle may be nil.
func receive(t *testing.T, client *sqs.Client, url string, n int, handle func(sumu.Delivery) error) []sumu.Delivery {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	r := receiver{stop: stop}
	err := sqsnotify.Poll(ctx, client, url, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
		errs := make([]sumu.Outcome, len(msgs))
		for i, m := range msgs {
			if handle != nil {
				errs[i].Err = handle(m)
			}
		}
		return errs
	}, func(o *sqsnotify.PollOptions) {
		o.Wait, o.Backoff = time.Second, time.Millisecond
		o.Visibility = 3 * time.Second // An answer that is lost hides its messages for so long.
		o.Settled = func(_ context.Context, m sumu.Delivery, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if err == nil {
				r.got = append(r.got, m)
			}
			if len(r.got) >= n {
				r.stop()
			}
		}
	})
	if err != nil || len(r.got) < n {
		t.Fatalf("Poll: %v, after %d of %d messages", err, len(r.got), n)
	}
	return r.got
}

func TestRealQueue(t *testing.T) {
	client := realSQS(t)
	url, _ := createQueue(t, client, "standard", nil)
	c, err := sqsnotify.New(client, url)
	if err != nil {
		t.Fatal(err)
	}
	var ns []sumu.Notification
	for i := range 24 {
		ns = append(ns, sumu.Notification{ID: fmt.Sprint("n", i), Users: []string{"ann\uFFFE"}, Data: json.RawMessage(`"` + "\uFFFF\x7f" + ` é"`)})
	}
	ns = append(ns, sumu.Notification{ID: "n24", Everyone: true, Data: json.RawMessage(`"` + strings.Repeat("x", sumu.MaxPayload-2) + `"`)})
	if err := errors.Join(c.SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	backend, err := sqsnotify.Backend(client, url)
	if err != nil {
		t.Fatal(err)
	}
	err = backend(t.Context(), sumu.BackendMessage{UserID: "ann", ConnectionID: "abc=", Source: "apigw.route.send", Timestamp: time.UnixMilli(7), Body: json.RawMessage(wrapped)})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := c.Requeue(t.Context(), sumu.Notification{ID: "late", Everyone: true, Data: json.RawMessage(`1`)}, time.Second); err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, m := range receive(t, client, url, 27, nil) {
		if m.Receives < 1 || m.SentAt.IsZero() { // More than 1 where an answer of the server was lost.
			t.Errorf("%s: %d receives, sent at %v", m.MessageID, m.Receives, m.SentAt)
		}
		if string(m.Body) == wrapped {
			ids["backend"] = m.Attributes["user_id"] == "ann" && m.Attributes["connection_id"] == "abc=" &&
				m.Attributes["timestamp"] == "7" && m.Attributes["source"] == "apigw.route.send"
			continue
		}
		n, err := sumu.ParseNotification(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		ids[n.ID] = true
		if n.ID == "late" && time.Since(start) < time.Second {
			t.Error("the delayed one came at once")
		}
		if n.ID == "n3" && (n.Users[0] != "ann\uFFFE" || string(n.Data) != `"\uffff`+"\x7f"+` é"`) {
			t.Errorf("got %+v", n)
		}
	}
	if len(ids) != 27 || !ids["backend"] {
		t.Errorf("got %d: %v", len(ids), ids)
	}
}

func TestRealFIFO(t *testing.T) {
	client := realSQS(t)
	url, _ := createQueue(t, client, "ordered.fifo", nil)
	c, err := sqsnotify.New(client, url)
	if err != nil {
		t.Fatal(err)
	}
	var ns []sumu.Notification
	for i := range 12 {
		ns = append(ns, toUser(fmt.Sprint("n", i), []string{"ann", "bob"}[i%2]))
	}
	retry := ns[4]
	retry.Part = "r" // Its id is the same: it is another message.
	ns = append(ns, ns[4], retry)
	if err := errors.Join(c.SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	failed := false
	messages := receive(t, client, url, 13, func(m sumu.Delivery) error {
		if strings.Contains(string(m.Body), `"n6"`) && !failed {
			failed = true
			return errors.New("once more")
		}
		return nil
	})
	for _, m := range messages {
		n, err := sumu.ParseNotification(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		got[m.Group] = append(got[m.Group], n.ID+n.Part)
	}
	if want := []string{"n0", "n2", "n4", "n6", "n8", "n10", "n4r"}; !slices.Equal(got["ann"], want) {
		t.Errorf("ann: got %v, want %v", got["ann"], want)
	}
	if want := []string{"n1", "n3", "n5", "n7", "n9", "n11"}; !slices.Equal(got["bob"], want) {
		t.Errorf("bob: got %v, want %v", got["bob"], want)
	}
}

// What fails too often ends in the dead-letter queue, as the queue's policy says.
func TestRealRedrive(t *testing.T) {
	client := realSQS(t)
	dead, deadARN := createQueue(t, client, "dead", nil)
	url, _ := createQueue(t, client, "redriven", map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"2"}`,
	})
	c, err := sqsnotify.New(client, url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notify.Send(t.Context(), c, toUser("poison", "ann")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	receives := make(chan int, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- sqsnotify.Poll(ctx, client, url, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			receives <- msgs[0].Receives
			return []sumu.Outcome{{Err: errors.New("poison")}}
		}, func(o *sqsnotify.PollOptions) { o.Wait, o.Backoff = time.Second, time.Millisecond })
	}()
	for want := range 2 {
		if got := <-receives; got != want+1 {
			t.Errorf("receive %d counts as %d", want+1, got)
		}
	}
	messages := receive(t, client, dead, 1, nil)
	stop()
	if err := <-ended; err != nil || len(receives) > 0 {
		t.Errorf("Poll: %v; received %d times more", err, len(receives))
	}
	if n, err := sumu.ParseNotification(messages[0].Body); err != nil || n.ID != "poison" {
		t.Errorf("dead: %s, %v", messages[0].Body, err)
	}
}

func TestRealErrors(t *testing.T) {
	client := realSQS(t)
	url, _ := createQueue(t, client, "strict", nil)
	missing := strings.Replace(url, "strict", "missing", 1)
	c, err := sqsnotify.New(client, missing)
	if err != nil {
		t.Fatal(err)
	}
	var noQueue *types.QueueDoesNotExist
	if err := c.Send(t.Context(), toUser("n1", "ann")); !errors.Is(err, sumu.ErrInvalid) || !errors.As(err, &noQueue) {
		t.Errorf("Send: %v", err)
	}
	noQueue = nil
	if err := sqsnotify.Poll(t.Context(), client, missing, handled); !errors.Is(err, sumu.ErrInvalid) || !errors.As(err, &noQueue) {
		t.Errorf("Poll: %v", err)
	}
}
