package dynamofeed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

func TestNewReportsEverything(t *testing.T) {
	_, err := dynamofeed.New((*dynamodbstreams.Client)(nil), nil, func(o *dynamofeed.Options) {
		o.PollEvery, o.DiscoverEvery = time.Millisecond, -time.Second
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("error is %v, want ErrInvalid", err)
	}
	for _, want := range []string{"Streams is nil", "DynamoDB is nil", "PollEvery is 1ms", "DiscoverEvery is -1s"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

// On a fleet, give this to lead.Run as what one process of all does.
func ExampleNew() {
	cfg := dynamodbstreams.Options{Region: "eu-central-1"} // Stands for config.LoadDefaultConfig.
	client := dynamodb.New(dynamodb.Options{Region: "eu-central-1"})
	feed, err := dynamofeed.New(dynamodbstreams.New(cfg), client, func(o *dynamofeed.Options) {
		o.Table = "my-connections"
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := new(memstore.Store) // Stands for a *dynamostore.StateStore of that table.
	watcher, err := presence.New(store, sumu.PresencePublisherFunc(
		func(_ context.Context, e sumu.PresenceEvent) error { fmt.Println(e.ID(), e.Status); return nil }))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // It would run until then.
	fmt.Println(watcher.Run(ctx, feed))
	// Output: <nil>
}

func FuzzPositions(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		fake, store := newFake(), new(memstore.Store)
		fake.write("a", "u1")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if len(value) > sumu.MaxRecordValue {
			return
		}
		err := store.SaveRecord(ctx, sumu.Record{
			Kind: "stream", Key: "connections", Value: []byte(value), Rev: 1, DeleteAt: time.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		feed, err := dynamofeed.New(fake, fake, func(o *dynamofeed.Options) { o.Positions = store })
		if err != nil {
			t.Fatal(err)
		}
		changes := feed.Changes(ctx)
		fake.write("a", "last")
		if strings.Contains(value, "arn:1") || strings.Contains(value, `\`) {
			cancel() // They may be positions in this stream, behind all that is there.
		}
		for c := range changes {
			if c.UserID == "last" {
				break
			}
		}
	})
}
