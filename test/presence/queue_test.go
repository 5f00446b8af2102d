package presence

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/presence"
)

// cloud is SQS and SNS as fauxqs has them.
type cloud struct {
	sqs *sqs.Client
	sns *sns.Client
}

func newCloud(t *testing.T, fauxqs string) cloud {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	cfg := config(fauxqs, &http.Client{Transport: transport})
	return cloud{sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg)}
}

func (c cloud) queue(t *testing.T, name string, fifo bool) (url, arn string) {
	t.Helper()
	name = strings.ToLower(rand.Text()) + "-" + name
	attributes := map[string]string{}
	if fifo {
		name, attributes["FifoQueue"] = name+".fifo", "true"
	}
	out, err := c.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: out.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl, got.Attributes["QueueArn"]
}

// drain takes messages out of a queue until it is empty.
func (c cloud) drain(t *testing.T, url string) (messages []types.Message) {
	t.Helper()
	for {
		out, err := c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			MessageAttributeNames:       []string{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return messages
		}
		for _, m := range out.Messages {
			if _, err := c.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
		messages = append(messages, out.Messages...)
	}
}

// TestDestinations: events go to a FIFO queue, a FIFO topic with a queue behind
// it, and notify. One of them is down for a while; each ends up with each event
// once and in its order, because the queues drop the duplicates of a version.
func TestDestinations(t *testing.T) {
	fauxqs := components.Fauxqs(t)
	leak.Check(t)
	c := newCloud(t, fauxqs)
	direct, _ := c.queue(t, "direct", true)
	behind, behindARN := c.queue(t, "behind", true)
	topicName := strings.ToLower(rand.Text()) + ".fifo"
	topic, err := c.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{
		Name: &topicName, Attributes: map[string]string{"FifoTopic": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.sns.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &behindARN,
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	toQueue, err := sqsnotify.Presence(c.sqs, direct)
	if err != nil {
		t.Fatal(err)
	}
	toTopic, err := snsnotify.Presence(c.sns, *topic.TopicArn)
	if err != nil {
		t.Fatal(err)
	}
	everyone := &notified{failures: 2}
	store := new(memstore.Store)
	watcher, err := presence.New(store, presence.Several(toQueue, toTopic, presence.ToNotify(everyone)))
	if err != nil {
		t.Fatal(err)
	}
	observe := func() {
		changes := []sumu.Change{{UserID: "ann"}, {UserID: "bob"}}
		for { // As a stream does.
			if _, err := watcher.Observe(t.Context(), changes...); err == nil {
				return
			} else if !errors.Is(err, errDown) {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		for _, user := range []string{"ann", "bob"} {
			if err := store.Put(t.Context(), sumu.Connection{UserID: user, ID: "c"}); err != nil {
				t.Fatal(err)
			}
		}
		observe()
		for _, user := range []string{"ann", "bob"} {
			if err := store.Delete(t.Context(), sumu.ConnectionRef{UserID: user, ConnectionID: "c"}); err != nil {
				t.Fatal(err)
			}
		}
		observe()
	}
	for name, url := range map[string]string{"the queue": direct, "the queue behind the topic": behind} {
		got := map[string][]string{}
		for _, m := range c.drain(t, url) {
			var e sumu.PresenceEvent
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				t.Fatal(err)
			}
			if m.Attributes["MessageGroupId"] != e.UserID || m.Attributes["MessageDeduplicationId"] != e.ID() {
				t.Errorf("%s has %s in group %q as %q", name, e.ID(), m.Attributes["MessageGroupId"], m.Attributes["MessageDeduplicationId"])
			}
			got[e.UserID] = append(got[e.UserID], fmt.Sprint(e.Version, e.Status))
		}
		for _, user := range []string{"ann", "bob"} {
			if want := []string{"1ONLINE", "2OFFLINE", "3ONLINE", "4OFFLINE"}; !slices.Equal(got[user], want) {
				t.Errorf("%s has %q of %s, want %q", name, got[user], user, want)
			}
		}
	}
	if want := 8; len(everyone.ids) != want || everyone.failures != 0 {
		t.Errorf("notify has %v, want %d different ones; %d failures are left", everyone.ids, want, everyone.failures)
	}
}

// notified is a client that fails at first.
type notified struct {
	mu       sync.Mutex
	failures int
	ids      map[string]bool
}

func (n *notified) Send(_ context.Context, m sumu.Notification) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failures > 0 {
		n.failures--
		return errDown
	}
	if n.ids == nil {
		n.ids = make(map[string]bool)
	}
	n.ids[m.ID] = true
	return nil
}

// TestGraceThroughQueue: a table's stream, and a queue that delays the checks.
// Who comes back in time has no event; who does not has one.
func TestGraceThroughQueue(t *testing.T) {
	dynamo, fauxqs := components.Dynoxide(t), components.Fauxqs(t)
	w := newWorld(t, dynamo)
	c := newCloud(t, fauxqs)
	checks, _ := c.queue(t, "checks", false)
	// The watcher's clock stands still: however slow the machine, nobody is late.
	var ms atomic.Int64
	ms.Store(time.Now().UnixMilli())
	const grace = 2 * time.Second
	watcher, _ := w.watch("a", func(o *presence.Options) {
		o.Now = func() time.Time { return time.UnixMilli(ms.Load()) }
		o.Grace = grace
		o.Delay = func(ctx context.Context, userID string, after time.Duration) error {
			_, err := c.sqs.SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: &checks, MessageBody: aws.String(awslambda.CheckMessage(userID)),
				DelaySeconds: int32((after + time.Second - 1) / time.Second),
			})
			return err
		}
	})
	handled := w.consume(c, checks, watcher)
	n := w.node("a")

	first := n.join(t, "ann")
	w.until("ann", "+")
	first.Close()
	w.check(handled) // It comes too early, and asks for another.
	w.want("ann", "+")
	second := n.join(t, "ann") // She is back in time.
	ms.Add(10 * grace.Milliseconds())
	w.check(handled)
	w.want("ann", "+")

	second.Close()
	w.absent("ann")
	w.want("ann", "+")
	ms.Add(grace.Milliseconds())
	w.until("ann", "+-")
	w.agrees(watcher)
	w.want("ann", "+-")
}

// consume serves the queue of checks with the handler of the Lambda function,
// and tells of each that was handled.
func (w *world) consume(c cloud, url string, watcher *presence.Watcher) <-chan struct{} {
	w.t.Helper()
	handler, err := awslambda.NewPresence(watcher)
	if err != nil {
		w.t.Fatal(err)
	}
	handled := make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- sqsnotify.Poll(ctx, c.sqs, url, sqsnotify.Each(func(ctx context.Context, d sumu.Delivery) error {
			r, err := handler.SQS(ctx, events.SQSEvent{Records: []events.SQSMessage{{MessageId: d.MessageID, Body: string(d.Body)}}})
			if err == nil && len(r.BatchItemFailures) > 0 {
				err = errDown
			}
			handled <- struct{}{}
			return err
		}), func(o *sqsnotify.PollOptions) { o.Wait, o.Grace = time.Second, -1 })
	}()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Poll: %v", err)
		}
	})
	return handled
}

// check waits until a check was handled.
func (w *world) check(handled <-chan struct{}) {
	w.t.Helper()
	select {
	case <-handled:
	case <-time.After(patience):
		w.t.Fatal("no check was handled")
	}
}
