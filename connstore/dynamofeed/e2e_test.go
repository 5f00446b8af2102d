package dynamofeed_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/testlog"
)

func TestFeedOnDynoxide(t *testing.T)      { testFeed(t, components.Dynoxide(t)) }
func TestFeedOnDynamoDBLocal(t *testing.T) { testFeed(t, components.DynamoDBLocal(t)) }

// testFeed follows a real stream: what is written before is not told, what is
// written and removed after is, in order; renewals are not.
func testFeed(t *testing.T, endpoint string) {
	leak.Check(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	cfg.HTTPClient = &http.Client{Transport: transport}
	client, streams := dynamodb.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg)
	tables := func(o *dynamostore.Options) { o.Connections, o.State = "feed-connections", "feed-state" }
	if err := dynamostore.CreateTables(ctx, client, tables); err != nil {
		t.Fatal(err)
	}
	store, err := dynamostore.NewWithState(client, tables)
	if err != nil {
		t.Fatal(err)
	}
	put := func(user string) sumu.Connection {
		c := sumu.Connection{UserID: user, ID: "c", DeleteAt: time.Now().Add(time.Hour)}
		if err := store.Put(ctx, c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	feed, err := dynamofeed.New(streams, client, func(o *dynamofeed.Options) {
		o.Table, o.PollEvery, o.DiscoverEvery = "feed-connections", 10*time.Millisecond, 100*time.Millisecond
		o.Logger = testlog.Logger()
	})
	if err != nil {
		t.Fatal(err)
	}
	put("before")
	changes := feed.Changes(ctx)
	c := put("ann")
	if err := store.Touch(ctx, c.Ref(), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(ctx, c.Ref()); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		put(fmt.Sprint("crowd-", i))
	}
	want := []string{"ann", "ann"}
	for i := range 500 {
		want = append(want, fmt.Sprint("crowd-", i))
	}
	seen := 0
	for c := range changes {
		if c.UserID != want[seen] || c.ConnectionID != "c" {
			t.Fatalf("change %d is %+v, want %s", seen, c, want[seen])
		}
		if seen++; seen == len(want) {
			break
		}
	}
	if ctx.Err() != nil {
		t.Fatalf("after %d of %d changes: %v", seen, len(want), ctx.Err())
	}
}
