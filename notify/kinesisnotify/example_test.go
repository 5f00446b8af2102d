package kinesisnotify_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/kinesisnotify"
)

// printingStream stands for a *kinesis.Client in this example.
type printingStream struct{}

func (printingStream) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	out := new(kinesis.PutRecordsOutput)
	for _, r := range in.Records {
		fmt.Printf("put by %q: %s\n", *r.PartitionKey, r.Data)
		out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: aws.String("1")})
	}
	return out, nil
}

func ExampleNew() {
	client, err := kinesisnotify.New(printingStream{}, "pushes")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := notify.ToUsers("hello", "ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	n.ID = "n1"
	id, err := notify.Send(context.Background(), client, n)
	fmt.Println("id:", id, err)
	// Output:
	// put by "ann": {"id":"n1","users":["ann"],"data":"hello"}
	// id: n1 <nil>
}
