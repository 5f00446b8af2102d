package dynamostore

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
)

// Client is what the stores need of DynamoDB: a *[dynamodb.Client], or
// something like it. The client retries and signs; its transport should keep as
// many idle connections as there are calls at a time.
type Client interface {
	GetItem(ctx context.Context, in *dynamodb.GetItemInput, optFns ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(ctx context.Context, in *dynamodb.PutItemInput, optFns ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, optFns ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, optFns ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(ctx context.Context, in *dynamodb.QueryInput, optFns ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(ctx context.Context, in *dynamodb.ScanInput, optFns ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, optFns ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

var (
	_ Client = (*dynamodb.Client)(nil)

	_ sumu.Store     = (*Store)(nil)
	_ sumu.Toucher   = (*Store)(nil)
	_ sumu.Refresher = (*Store)(nil)
	_ sumu.Sweeper   = (*Store)(nil)

	_ sumu.Store         = (*StateStore)(nil)
	_ sumu.Toucher       = (*StateStore)(nil)
	_ sumu.Refresher     = (*StateStore)(nil)
	_ sumu.Sweeper       = (*StateStore)(nil)
	_ sumu.PresenceStore = (*StateStore)(nil)
	_ sumu.StateStore    = (*StateStore)(nil)
	_ sumu.Capper        = (*StateStore)(nil)

	_ sumu.ChannelStore      = (*StateStore)(nil)
	_ sumu.SubscriptionStore = (*StateStore)(nil)
)

// Options tune a store. The zero value of each is its default.
type Options struct {
	// Connections is the name of the connections table. Default "connections".
	Connections string

	// State is the name of the state table. Default "state". It is for
	// [NewWithState]; [New] refuses it.
	State string

	// PageSize is how many rows are read at a time by ByUser, All,
	// PresenceRows, SweepExpired, Members and Subscribers: 1 to 100,000.
	// Default none: as many as fit DynamoDB's page of 1 MB, about 6,000;
	// negative: the same. A page is held in memory.
	PageSize int

	// EventualRecipients has ByUser, IsMember, Members, CountMembers and
	// Subscribers read eventually consistent, at half the price: 0.5 RCU for
	// each 4 KB. What is lost: a message may miss a connection that connected,
	// joined or subscribed within the last moment (mostly under a second)
	// though the client has its answer, an exclusion and a Kick may miss it
	// too, and one that has just left may still be sent to. Default false: they
	// are strongly consistent, as are all other reads but that of All.
	EventualRecipients bool

	// ConsistentAll has All read strongly consistent too, at twice the price:
	// 1 RCU for each 4 KB of the table. Default false: a broadcast may miss a
	// connection that was accepted within the last moment before it began. No
	// promise rests on All: a client that must miss nothing fetches what it
	// missed once it is connected.
	ConsistentAll bool

	// SweepConcurrency is how many rows SweepExpired removes at a time, and how
	// many of a connection's memberships and subscriptions Forget, Prolong,
	// Subscribe and Unsubscribe deal with at a time: 1 to 1,000. Default 8.
	SweepConcurrency int

	// Now is the clock. Default [time.Now]. Writers compare expiries with
	// their own clocks, so they should agree to the second or so.
	Now func() time.Time
}

// Limits of the options.
const (
	maxPageSize         = 100_000
	maxSweepConcurrency = 1_000
)

// Store is a [sumu.Store] in a connections table, and a [sumu.Toucher],
// [sumu.Refresher] and [sumu.Sweeper]. All else needs a second
// table: see [StateStore]. It is safe for concurrent use and needs no closing.
type Store struct {
	client           Client
	connections      string
	pageSize         int32
	recipients       *bool // the consistency of the reads that find recipients
	all              *bool // that of All
	sweepConcurrency int
	now              func() time.Time
}

// StateStore is a [Store] that has a state table too: it is a
// [sumu.ChannelStore], [sumu.SubscriptionStore], [sumu.PresenceStore],
// [sumu.StateStore] and [sumu.Capper] as well. It is safe
// for concurrent use and needs no closing.
type StateStore struct {
	*Store
	state string
	turns *turns // of PutCapped
}

// New returns a store that keeps connections, and nothing else. It does not
// call DynamoDB. ErrInvalid is returned with every option that cannot be.
func New(client Client, optFns ...func(*Options)) (*Store, error) {
	opts := options(optFns)
	var extra error
	if opts.State != "" {
		extra = invalid("State is for NewWithState")
	}
	return newStore(client, opts, extra)
}

// NewWithState returns a store that keeps connections, channels, subscriptions,
// presence and records, and can bound the connections of a user. It does not
// call DynamoDB.
// ErrInvalid is returned with every option that cannot be.
func NewWithState(client Client, optFns ...func(*Options)) (*StateStore, error) {
	opts := options(optFns)
	if opts.State == "" {
		opts.State = "state"
	}
	var extra error
	if opts.State == opts.Connections {
		extra = invalid("State and Connections are one table: their keys differ")
	}
	s, err := newStore(client, opts, extra)
	if err != nil {
		return nil, err
	}
	return &StateStore{Store: s, state: opts.State, turns: newTurns()}, nil
}

func options(optFns []func(*Options)) Options {
	opts := Options{}
	for _, f := range optFns {
		f(&opts)
	}
	if opts.Connections == "" {
		opts.Connections = "connections"
	}
	if opts.SweepConcurrency == 0 {
		opts.SweepConcurrency = 8
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return opts
}

// newStore reports what is wrong with the options, along with extra.
func newStore(client Client, opts Options, extra error) (*Store, error) {
	errs := []error{extra}
	if v := reflect.ValueOf(client); client == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		errs = append(errs, invalid("client is nil"))
	}
	if opts.PageSize = max(opts.PageSize, 0); opts.PageSize > maxPageSize {
		errs = append(errs, invalid("PageSize is %d; it must be at most %d", opts.PageSize, maxPageSize))
	}
	if opts.SweepConcurrency < 1 || opts.SweepConcurrency > maxSweepConcurrency {
		errs = append(errs, invalid("SweepConcurrency is %d; 0 to %d are allowed", opts.SweepConcurrency, maxSweepConcurrency))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &sumu.Error{Op: "dynamostore", Kind: sumu.ErrInvalid, Err: err}
	}
	return &Store{
		client:           client,
		connections:      opts.Connections,
		pageSize:         int32(opts.PageSize),
		recipients:       aws.Bool(!opts.EventualRecipients),
		all:              aws.Bool(opts.ConsistentAll),
		sweepConcurrency: opts.SweepConcurrency,
		now:              opts.Now,
	}, nil
}

// limit is the page size as a request has it.
func (s *Store) limit() *int32 {
	if s.pageSize == 0 {
		return nil
	}
	return &s.pageSize
}

// nowSeconds is the second that has begun: a row lives while its delete_at is
// above it.
func (s *Store) nowSeconds() int64 { return s.now().Unix() }

// check is the entry of every call that names a connection.
func check(ctx context.Context, op string, ref sumu.ConnectionRef) error {
	return enter(ctx, op, ref.ConnectionID, ref.Validate())
}

// checkUser is the entry of every call that names a user.
func checkUser(ctx context.Context, op, user string) error {
	return enter(ctx, op, user, sumu.ValidateUserID(user))
}

// enter reports why a call is refused before it costs anything.
func enter(ctx context.Context, op, what string, err error) error {
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return failed(op, what, err)
	}
	return nil
}
