package dynamostore_test

import (
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/memdb"
)

// memDB is DynamoDB in memory.
type (
	memDB = memdb.DB
	row   = memdb.Row
)

var (
	_ dynamostore.Client = (*memDB)(nil)

	newMemDB = memdb.New
	textOf   = memdb.TextOf
	keyOf    = memdb.KeyOf
)
