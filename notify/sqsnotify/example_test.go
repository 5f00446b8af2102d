package sqsnotify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// printingQueue stands for an *sqs.Client in these examples: it prints what is
// sent, and holds one message to receive.
type printingQueue struct {
	mu      sync.Mutex
	body    string
	removed func()
}

func (q *printingQueue) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	out := new(sqs.SendMessageBatchOutput)
	for _, e := range in.Entries {
		fmt.Println("sent:", *e.MessageBody)
		for _, name := range []string{"source", "user_id", "connection_id", "timestamp"} {
			if a, ok := e.MessageAttributes[name]; ok {
				fmt.Printf("  %s (%s): %s\n", name, *a.DataType, *a.StringValue)
			}
		}
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

func (q *printingQueue) ReceiveMessage(ctx context.Context, _ *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	q.mu.Lock()
	body := q.body
	q.body = ""
	q.mu.Unlock()
	if body == "" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m := types.Message{MessageId: aws.String("m1"), Body: aws.String(body), ReceiptHandle: aws.String("handle")}
	return &sqs.ReceiveMessageOutput{Messages: []types.Message{m}}, nil
}

func (q *printingQueue) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	fmt.Println("removed:", *in.Entries[0].ReceiptHandle)
	q.removed()
	return &sqs.DeleteMessageBatchOutput{Successful: []types.DeleteMessageBatchResultEntry{{Id: in.Entries[0].Id}}}, nil
}

func (q *printingQueue) ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return new(sqs.ChangeMessageVisibilityBatchOutput), nil
}

func ExampleNew() {
	ctx := context.Background()
	client, err := sqsnotify.New(new(printingQueue), "https://sqs.eu-central-1.amazonaws.com/123456789012/pushes")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := notify.ToUsers(map[string]any{"type": "order", "id": 7}, "ann", "bob")
	if err != nil {
		fmt.Println(err)
		return
	}
	n.ID = "n1"
	id, err := notify.Send(ctx, client, n)
	fmt.Println("id:", id, err)
	// Output:
	// sent: {"id":"n1","users":["ann","bob"],"data":{"id":7,"type":"order"}}
	// id: n1 <nil>
}

func ExampleBackend() {
	backend, err := sqsnotify.Backend(new(printingQueue), "https://sqs.eu-central-1.amazonaws.com/123456789012/orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a program: app.Handle("send", sumu.ToBackend("apigw.route.send", backend))
	handle := sumu.ToBackend("apigw.route.send", backend)
	_, err = handle(context.Background(), sumu.Message{
		Connection: sumu.Connection{UserID: "ann", ID: "abc="},
		Action:     "send",
		Body:       []byte(`{"action":"send","message":{"buy": 7}}`),
		ReceivedAt: time.UnixMilli(1575929040000),
	})
	fmt.Println(err)
	// Output:
	// sent: {"buy": 7}
	//   source (String): apigw.route.send
	//   user_id (String): ann
	//   connection_id (String): abc=
	//   timestamp (Number): 1575929040000
	// <nil>
}

func ExamplePresence() {
	publisher, err := sqsnotify.Presence(new(printingQueue), "https://sqs.eu-central-1.amazonaws.com/123456789012/presence")
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a program: presence.New(store, publisher)
	err = publisher.PublishPresence(context.Background(), sumu.PresenceEvent{
		UserID: "ann", Status: sumu.Online, At: time.UnixMilli(1575929040000), Version: 1,
	})
	fmt.Println(err)
	// Output:
	// sent: {"type":"presence","message":{"user_id":"ann","status":"ONLINE","timestamp":1575929040.000,"version":1,"id":"ann:1"}}
	//   source (String): lambda.presence.watchdog
	//   user_id (String): ann
	//   timestamp (Number): 1575929040000
	// <nil>
}

// printingSender stands for a gateway.
type printingSender struct{}

func (printingSender) Post(_ context.Context, c sumu.Connection, p *sumu.Payload) error {
	fmt.Printf("posted to %s: %s\n", c.ID, p.Bytes())
	return nil
}

// A server that pushes what its queue holds.
func ExamplePoll() {
	ctx, stop := context.WithCancel(context.Background()) // In a program: signal.NotifyContext.
	const queueURL = "https://sqs.eu-central-1.amazonaws.com/123456789012/pushes"
	queue := &printingQueue{body: `{"users":["ann"],"data":{"type":"order"}}`, removed: stop}
	store := new(memstore.Store)
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "laptop"})

	client, err := sqsnotify.New(queue, queueURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	push, err := pusher.New(store, printingSender{})
	if err != nil {
		fmt.Println(err)
		return
	}
	worker, err := pusher.NewWorker(push, client) // What remains goes to the queue again.
	if err != nil {
		fmt.Println(err)
		return
	}
	err = sqsnotify.Poll(ctx, queue, queueURL, worker.Handle,
		func(o *sqsnotify.PollOptions) { o.Pollers = 4 })
	fmt.Println("ended:", err)
	// Output:
	// posted to laptop: {"type":"order"}
	// removed: handle
	// ended: <nil>
}

// A consumer of what clients send.
func ExampleEach() {
	ctx, stop := context.WithCancel(context.Background())
	queue := &printingQueue{body: `{"buy": 7}`, removed: stop}
	err := sqsnotify.Poll(ctx, queue, "https://sqs.eu-central-1.amazonaws.com/123456789012/orders",
		sqsnotify.Each(func(_ context.Context, d sumu.Delivery) error {
			var order struct{ Buy int }
			err := json.Unmarshal(d.Body, &order)
			fmt.Println("order:", order.Buy, err)
			return err
		}))
	fmt.Println("ended:", err)
	// Output:
	// order: 7 <nil>
	// removed: handle
	// ended: <nil>
}
