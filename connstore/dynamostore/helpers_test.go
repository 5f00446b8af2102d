package dynamostore_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// clock stands still unless it is moved. It is far ahead: what expires by it has
// not expired by the clock of DynamoDB, which would remove it in the midst of a
// test.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Date(2100, 11, 1, 12, 0, 0, 700_000_000, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// newClient returns a client of a DynamoDB that does not ask who one is.
func newClient(t testing.TB, endpoint string) *dynamodb.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConns: 128, MaxIdleConnsPerHost: 128}
	t.Cleanup(transport.CloseIdleConnections)
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint,
		Region:       "us-east-1",
		HTTPClient:   &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

var tableNumber atomic.Int64

// newTables creates tables of its own for a test, and returns the option that
// names them.
func newTables(t testing.TB, client *dynamodb.Client) func(*dynamostore.Options) {
	t.Helper()
	n := tableNumber.Add(1)
	named := func(o *dynamostore.Options) {
		o.Connections, o.State = fmt.Sprint("connections-", n), fmt.Sprint("state-", n)
	}
	if err := dynamostore.CreateTables(t.Context(), client, named); err != nil {
		t.Fatal(err)
	}
	var names dynamostore.Options
	named(&names)
	t.Cleanup(func() {
		for _, name := range []string{names.Connections, names.State} {
			_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name})
			if err != nil {
				t.Error(err)
			}
		}
	})
	return named
}
