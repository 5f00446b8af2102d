package snsnotify_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/snsnotify"
)

// printingTopic stands for an *sns.Client in these examples.
type printingTopic struct{}

func (printingTopic) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	out := new(sns.PublishBatchOutput)
	for _, e := range in.PublishBatchRequestEntries {
		fmt.Println("published:", *e.Message)
		for _, name := range []string{"source", "user_id", "connection_id", "timestamp"} {
			if a, ok := e.MessageAttributes[name]; ok {
				fmt.Printf("  %s (%s): %s\n", name, *a.DataType, *a.StringValue)
			}
		}
		out.Successful = append(out.Successful, types.PublishBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

func ExampleNew() {
	client, err := snsnotify.New(printingTopic{}, "arn:aws:sns:eu-central-1:123456789012:pushes")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := notify.ToEveryone("closing at noon", "ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	n.ID = "n1"
	id, err := notify.Send(context.Background(), client, n)
	fmt.Println("id:", id, err)
	// Output:
	// published: {"id":"n1","everyone":true,"exclude_users":["ann"],"data":"closing at noon"}
	// id: n1 <nil>
}

func ExampleBackend() {
	backend, err := snsnotify.Backend(printingTopic{}, "arn:aws:sns:eu-central-1:123456789012:orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a program: app.Handle("publish", sumu.ToBackend("apigw.route.publish", backend))
	handle := sumu.ToBackend("apigw.route.publish", backend)
	_, err = handle(context.Background(), sumu.Message{
		Connection: sumu.Connection{UserID: "ann", ID: "abc="},
		Action:     "publish",
		Body:       []byte(`{"action":"publish","message":{"buy": 7}}`),
		ReceivedAt: time.UnixMilli(1575929040000),
	})
	fmt.Println(err)
	// Output:
	// published: {"buy": 7}
	//   source (String): apigw.route.publish
	//   user_id (String): ann
	//   connection_id (String): abc=
	//   timestamp (Number): 1575929040000
	// <nil>
}

func ExamplePresence() {
	publisher, err := snsnotify.Presence(printingTopic{}, "arn:aws:sns:eu-central-1:123456789012:presence")
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a program: presence.New(store, publisher)
	err = publisher.PublishPresence(context.Background(), sumu.PresenceEvent{
		UserID: "ann", Status: sumu.Offline, At: time.UnixMilli(1575929040000), Version: 2,
	})
	fmt.Println(err)
	// Output:
	// published: {"type":"presence","message":{"user_id":"ann","status":"OFFLINE","timestamp":1575929040.000,"version":2,"id":"ann:2"}}
	//   source (String): lambda.presence.watchdog
	//   user_id (String): ann
	//   timestamp (Number): 1575929040000
	// <nil>
}
