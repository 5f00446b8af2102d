package sqsnotify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// accepting accepts all and costs next to nothing.
type accepting struct{}

func (accepting) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	out := &sqs.SendMessageBatchOutput{Successful: make([]types.SendMessageBatchResultEntry, len(in.Entries))}
	for i := range in.Entries {
		out.Successful[i].Id = in.Entries[i].Id
	}
	return out, nil
}

// What this package adds to a request, for each notification of a batch of 10,
// and for each user of a list that is split.
func BenchmarkSend(b *testing.B) {
	c, err := sqsnotify.New(accepting{}, queueURL)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("batch", func(b *testing.B) {
		ns := make([]sumu.Notification, 10)
		for i := range ns {
			ns[i] = toUser(fmt.Sprint("n", i), "ann")
		}
		b.ReportAllocs()
		for b.Loop() {
			if errs := c.SendBatch(b.Context(), ns...); errs[0] != nil {
				b.Fatal(errs[0])
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10, "ns/notification")
	})
	b.Run("split", func(b *testing.B) {
		n := sumu.Notification{ID: "n1", Data: json.RawMessage(`{"type":"news"}`)}
		for i := range 100_000 {
			n.Users = append(n.Users, fmt.Sprintf("3f1c9a52-7d3e-4c1b-9f0a-%012d", i))
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Send(b.Context(), n); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/user")
	})
}
