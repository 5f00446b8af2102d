package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// kinesisStream is a stream of Kinesis. It is read from its beginning: what was
// read is not remembered. A program that must not read twice is a function with
// an event source mapping, or uses the client library of Kinesis.
type kinesisStream struct {
	client *kinesis.Client
	name   string
	// pause is between two reads of a shard, of which Kinesis allows five a
	// second (read 2026-11).
	pause time.Duration
	log   *slog.Logger
}

func newKinesisStream(name, region, endpoint string, log *slog.Logger) stream {
	opts := kinesis.Options{
		Region: region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			c := aws.Credentials{
				AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
				SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
			}
			if !c.HasKeys() {
				return c, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")
			}
			return c, nil
		}),
	}
	if endpoint != "" {
		opts.BaseEndpoint = &endpoint
	}
	return &kinesisStream{kinesis.New(opts), name, time.Second, log}
}

// Put writes to one shard: the events of the console keep their order.
func (s *kinesisStream) Put(ctx context.Context, record []byte) error {
	_, err := s.client.PutRecord(ctx, &kinesis.PutRecordInput{
		StreamName: &s.name, PartitionKey: aws.String("console"), Data: record,
	})
	return err
}

func (s *kinesisStream) Read(ctx context.Context, handle func(context.Context, []byte) error) error {
	var shards []types.Shard
	pages := &kinesis.ListShardsInput{StreamName: &s.name}
	for {
		page, err := s.client.ListShards(ctx, pages)
		if err != nil {
			return end(ctx, err)
		}
		shards = append(shards, page.Shards...)
		if page.NextToken == nil {
			break
		}
		pages = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, len(shards))
	for _, shard := range shards {
		go func() {
			err := s.readShard(ctx, *shard.ShardId, handle)
			if err != nil {
				cancel(err) // One that is not read stops all: it must not go unnoticed.
			}
			ended <- err
		}()
	}
	var errs []error
	for range shards {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

func (s *kinesisStream) readShard(ctx context.Context, id string, handle func(context.Context, []byte) error) error {
	last := "" // the sequence number
	var next *string
	for {
		var err error
		if next == nil {
			next, err = s.iterator(ctx, id, last)
		}
		var out *kinesis.GetRecordsOutput
		if err == nil {
			out, err = s.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: next})
		}
		var expired *types.ExpiredIteratorException
		var busy *types.ProvisionedThroughputExceededException
		switch {
		case errors.As(err, &expired), errors.As(err, &busy):
			s.log.WarnContext(ctx, "shard is read again", "shard", id, "error", err.Error())
			next = nil
		case err != nil:
			return end(ctx, err)
		default:
			for _, r := range out.Records {
				if err := handle(ctx, r.Data); err != nil {
					return end(ctx, err)
				}
				last = *r.SequenceNumber
			}
			if next = out.NextShardIterator; next == nil {
				return nil // The shard was split or merged, and is read to its end.
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.pause):
		}
	}
}

// iterator begins behind a record; "": with the first.
func (s *kinesisStream) iterator(ctx context.Context, shard, after string) (*string, error) {
	in := &kinesis.GetShardIteratorInput{
		StreamName: &s.name, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	}
	if after != "" {
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &after
	}
	out, err := s.client.GetShardIterator(ctx, in)
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}
