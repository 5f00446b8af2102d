package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// throughSQS starts a worker that polls a new queue until the process ends, and
// returns what sends to the user through it. The worker keeps records, as one
// should.
func throughSQS(endpoint string, p *pusher.Pusher, records *memstore.Store) (func(context.Context, []byte) error, error) {
	ctx := context.Background()
	client := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: emulatorCredentials})
	queue, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("bench")})
	if err != nil {
		return nil, err
	}
	backend, err := sqsnotify.New(client, *queue.QueueUrl)
	if err != nil {
		return nil, err
	}
	worker, err := pusher.NewWorker(p, backend, func(o *pusher.WorkerOptions) { o.Records = records })
	if err != nil {
		return nil, err
	}
	go func() {
		err := sqsnotify.Poll(ctx, client, *queue.QueueUrl, worker.Handle)
		fmt.Fprintln(os.Stderr, "poll:", err)
	}()
	return func(ctx context.Context, data []byte) error {
		_, err := notify.Send(ctx, backend, sumu.Notification{Users: []string{latencyUser}, Data: data})
		return err
	}, nil
}
