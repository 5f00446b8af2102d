package dynamostore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

// TableClient is what [CreateTables] needs of DynamoDB: a *[dynamodb.Client].
type TableClient interface {
	CreateTable(ctx context.Context, in *dynamodb.CreateTableInput, optFns ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, optFns ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	DescribeTimeToLive(ctx context.Context, in *dynamodb.DescribeTimeToLiveInput, optFns ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
	UpdateTimeToLive(ctx context.Context, in *dynamodb.UpdateTimeToLiveInput, optFns ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
}

var _ TableClient = (*dynamodb.Client)(nil)

// createWait bounds how long a table may take to become active.
const createWait = 5 * time.Minute

// CreateTables creates the connections table and the state table, for tests and
// for work on your own machine; deploy others with infrastructure code. They
// are billed on demand, expire by delete_at, and the connections table has a
// stream of keys, which drives presence. It returns once both can be used. A
// table that exists stays as it is, except that its expiry is turned on.
//
// ErrInvalid is returned for options that cannot be, ErrConflict when a table
// expires by another attribute.
func CreateTables(ctx context.Context, client TableClient, optFns ...func(*Options)) error {
	opts := options(optFns)
	if opts.State == "" {
		opts.State = "state"
	}
	if opts.State == opts.Connections {
		return &sumu.Error{Op: "create tables", Err: invalid("State and Connections are one table: their keys differ")}
	}
	stream := &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly}
	if err := createTable(ctx, client, opts.Connections, attrUser, attrID, stream); err != nil {
		return classified(ctx, "create table", opts.Connections, opts.Connections, err)
	}
	if err := createTable(ctx, client, opts.State, attrPK, attrSK, nil); err != nil {
		return classified(ctx, "create table", opts.State, opts.State, err)
	}
	return nil
}

func createTable(ctx context.Context, client TableClient, name, hash, sort string, stream *types.StreamSpecification) error {
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &name,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: &hash, AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: &sort, AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: &hash, KeyType: types.KeyTypeHash},
			{AttributeName: &sort, KeyType: types.KeyTypeRange},
		},
		BillingMode:         types.BillingModePayPerRequest,
		StreamSpecification: stream,
	})
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	active := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 5*time.Second
	})
	if err := active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, createWait); err != nil {
		return err
	}
	return expireBy(ctx, client, name)
}

// expireBy has DynamoDB remove what has expired.
func expireBy(ctx context.Context, client TableClient, table string) error {
	out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		return err
	}
	if d := out.TimeToLiveDescription; d != nil &&
		(d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		if by := aws.ToString(d.AttributeName); by != attrDeleteAt {
			return &sumu.Error{Op: "it expires by " + by + ", not by " + attrDeleteAt, Kind: sumu.ErrConflict}
		}
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String(attrDeleteAt),
			Enabled:       aws.Bool(true),
		},
	})
	return err
}
