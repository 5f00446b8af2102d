package dynamostore_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
)

// database is a DynamoDB, and the option that names tables in it that are a
// test's own.
type database struct {
	client dynamostore.Client
	named  func(*dynamostore.Options)
}

var (
	inMemory = func(*testing.T) database { return database{newMemDB(), func(*dynamostore.Options) {}} }

	onDynoxide = func(t *testing.T) database {
		client := newClient(t, components.Dynoxide(t))
		return database{client, newTables(t, client)}
	}
	onDynamoDBLocal = func(t *testing.T) database {
		client := newClient(t, components.DynamoDBLocal(t))
		return database{client, newTables(t, client)}
	}
)

// databases are those that a test may run over; all but the one in memory are
// other programs.
var databases = map[string]func(*testing.T) database{
	"in memory": inMemory, "dynoxide": onDynoxide, "DynamoDB Local": onDynamoDBLocal,
}

// over runs a test over the databases of these names; without names, in memory
// and on dynoxide.
func over(t *testing.T, test func(t *testing.T, db database), names ...string) {
	if len(names) == 0 {
		names = []string{"in memory", "dynoxide"}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, databases[name](t)) })
	}
}

// overAll runs a test over every database.
func overAll(t *testing.T, test func(t *testing.T, db database)) {
	over(t, test, slices.Sorted(maps.Keys(databases))...)
}
