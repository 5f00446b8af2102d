package memdb_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/memdb"
)

type client = dynamostore.Client

// over runs a test over the DB, and over the emulators that it must agree with:
// all but those that are lax.
func over(t *testing.T, test func(t *testing.T, client client), lax ...string) {
	t.Run("in memory", func(t *testing.T) { test(t, memdb.New()) })
	for name, start := range map[string]func(testing.TB) string{
		"dynoxide": components.Dynoxide, "DynamoDB Local": components.DynamoDBLocal,
	} {
		if slices.Contains(lax, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			endpoint := start(t)
			transport := new(http.Transport)
			t.Cleanup(transport.CloseIdleConnections)
			c := dynamodb.New(dynamodb.Options{
				BaseEndpoint: &endpoint, Region: "us-east-1", HTTPClient: &http.Client{Transport: transport},
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "memdb", SecretAccessKey: "memdb"}, nil
				}),
			})
			if err := dynamostore.CreateTables(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				for _, table := range []string{"connections", "state"} {
					if _, err := c.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table}); err != nil {
						t.Error(err)
					}
				}
			})
			test(t, c)
		})
	}
}
