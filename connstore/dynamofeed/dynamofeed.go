package dynamofeed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// StreamsClient is what a [Feed] needs of DynamoDB Streams: a
// *[dynamodbstreams.Client].
type StreamsClient interface {
	DescribeStream(ctx context.Context, in *dynamodbstreams.DescribeStreamInput, optFns ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(ctx context.Context, in *dynamodbstreams.GetShardIteratorInput, optFns ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput, optFns ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// TableClient is what a [Feed] needs of DynamoDB to find a table's stream: a
// *[dynamodb.Client].
type TableClient interface {
	DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, optFns ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
}

var (
	_ StreamsClient   = (*dynamodbstreams.Client)(nil)
	_ TableClient     = (*dynamodb.Client)(nil)
	_ sumu.ChangeFeed = (*Feed)(nil)
)

// Options tune a [Feed]. The zero value of a field is its default.
type Options struct {
	// Table is the name of the connections table. Default "connections".
	Table string

	// PollEvery is how often a shard that has nothing new, or little, is asked
	// for more: how late a change may be told. Default 500 ms; at least 10 ms.
	PollEvery time.Duration

	// DiscoverEvery is how often new shards and streams are looked for, besides
	// whenever a shard ends. Default 10 s; at least 100 ms.
	DiscoverEvery time.Duration

	// Positions keeps where each shard was a minute ago, in the record of kind
	// "stream" with the table's name as its key, every 15 s. The next call of
	// Changes, here or elsewhere, goes on there. Default nil: it begins with
	// what happens from then on.
	Positions sumu.StateStore

	// Modified tells of rows that were changed too: renewals and refreshed
	// tokens for the most part, and each costs an evaluation. Default false:
	// of rows that were written anew or removed alone.
	Modified bool

	// Logger gets what failed and is tried again. Default: [slog.Default], warnings
	// and errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger

	// Now is the clock of the positions. Default [time.Now].
	Now func() time.Time
}

// Feed follows a table's stream. It is safe for concurrent use.
type Feed struct {
	streams StreamsClient
	tables  TableClient
	opts    Options
}

// New returns a Feed. It does not call DynamoDB. ErrInvalid is returned with
// every argument and option that cannot be.
func New(streams StreamsClient, tables TableClient, optFns ...func(*Options)) (*Feed, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	o.Table = cmp.Or(o.Table, "connections")
	o.PollEvery = cmp.Or(o.PollEvery, 500*time.Millisecond)
	o.DiscoverEvery = cmp.Or(o.DiscoverEvery, 10*time.Second)
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	if isNil(streams) {
		errs = append(errs, invalid("the client of DynamoDB Streams is nil"))
	}
	if isNil(tables) {
		errs = append(errs, invalid("the client of DynamoDB is nil"))
	}
	if o.PollEvery < 10*time.Millisecond {
		errs = append(errs, invalid("PollEvery is %v; it must be at least 10ms", o.PollEvery))
	}
	if o.DiscoverEvery < 100*time.Millisecond {
		errs = append(errs, invalid("DiscoverEvery is %v; it must be at least 100ms", o.DiscoverEvery))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Feed{streams: streams, tables: tables, opts: o}, nil
}

func isNil(client any) bool {
	v := reflect.ValueOf(client)
	return client == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "dynamofeed: " + fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
