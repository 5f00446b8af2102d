package kinesisnotify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/notify/kinesisnotify"
)

func TestRealStream(t *testing.T) {
	endpoint := components.Kinesalite(t)
	client := kinesis.New(kinesis.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	})
	name := aws.String("pushes")
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	active := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
	})
	if err := active.Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: name}, time.Minute); err != nil {
		t.Fatal(err)
	}
	c, err := kinesisnotify.New(client, "pushes")
	if err != nil {
		t.Fatal(err)
	}
	var ns []sumu.Notification
	for i := range 600 {
		ns = append(ns, sumu.Notification{ID: fmt.Sprint("n", i), Users: []string{fmt.Sprint("user", i%3)}, Data: json.RawMessage(`"é<"`)})
	}
	if err := errors.Join(c.SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	ids, shards := make(map[string]bool), make(map[string]string)
	for _, shard := range readAll(t, client, name) {
		for _, r := range shard.records {
			n, err := sumu.ParseNotification(r.Data)
			if err != nil {
				t.Fatal(err)
			}
			ids[n.ID] = true
			if other := shards[n.Users[0]]; other != "" && other != shard.id {
				t.Errorf("%s is in %s and in %s", n.Users[0], other, shard.id)
			}
			shards[n.Users[0]] = shard.id
		}
	}
	if len(ids) != len(ns) {
		t.Errorf("%d of %d are there", len(ids), len(ns))
	}

	missing, err := kinesisnotify.New(client, "missing")
	if err != nil {
		t.Fatal(err)
	}
	var noStream *types.ResourceNotFoundException
	if err := missing.Send(t.Context(), ns[0]); !errors.Is(err, sumu.ErrInvalid) || !errors.As(err, &noStream) {
		t.Errorf("no stream: got %v", err)
	}
}

type shardRecords struct {
	id      string
	records []types.Record
}

func readAll(t *testing.T, client *kinesis.Client, name *string) (all []shardRecords) {
	t.Helper()
	list, err := client.DescribeStream(t.Context(), &kinesis.DescribeStreamInput{StreamName: name})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.StreamDescription.Shards {
		at, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: name, ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		read := shardRecords{id: *s.ShardId}
		for next := at.ShardIterator; next != nil; {
			out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Records) == 0 {
				break
			}
			read.records = append(read.records, out.Records...)
			next = out.NextShardIterator
		}
		all = append(all, read)
	}
	return all
}
