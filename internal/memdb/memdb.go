// Package memdb is DynamoDB in memory, for tests that must not need an
// emulator, and for what emulators never are: late. It has as much of DynamoDB
// as this module's drivers use, evaluates their expressions, refuses what
// DynamoDB refuses of them, and reports what they consume. It panics at what it
// does not know, so that no test passes by chance.
//
// A table is made by its first row, and is one of two: with the keys user_id and
// connection_id, or with pk and sk.
package memdb

import (
	"bytes"
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Row is a row as DynamoDB has it.
type Row = map[string]types.AttributeValue

// Key is the two keys of a row.
type Key [2]string

// DB is safe for concurrent use. Every call is one atomic step.
type DB struct {
	// Behind, if set, says for each read that is not strongly consistent how
	// many of the last writes, up to 64, it misses. It is called with the
	// input, and with the number of all writes so far.
	Behind func(in any, written int) int

	mu      sync.Mutex
	tables  map[string]*table
	tokens  map[string]bool // of transactions
	journal []change        // the last writes, the latest last; see Behind
	written int
	calls   map[string]int
	read    int
}

// change is a write, undone by writing what was there before.
type change struct {
	table string
	key   Key
	old   Row // nil: nothing
}

const journalSize = 64

// New returns a DB without tables.
func New() *DB {
	return &DB{tables: make(map[string]*table), tokens: make(map[string]bool), calls: make(map[string]int)}
}

// table has its rows by key, and the keys in the order of queries and scans.
type table struct {
	rows  map[Key]Row
	parts map[string][]string // the second keys of each first one, ascending
	first []string            // the first keys in the order of a scan; nil: to be sorted
}

// place is where a scan comes to a first key: it goes by a hash.
func place(pk string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(pk))
	return h.Sum32()
}

// comparePlaces orders first keys as a scan does.
func comparePlaces(a, b string) int {
	if a == b {
		return 0
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b))
}

// firsts are the first keys in the order of a scan.
func (t *table) firsts() []string {
	if t.first == nil {
		t.first = slices.SortedFunc(maps.Keys(t.parts), comparePlaces)
	}
	return t.first
}

func (d *DB) table(name string) *table {
	t := d.tables[name]
	if t == nil {
		t = &table{rows: make(map[Key]Row), parts: make(map[string][]string)}
		d.tables[name] = t
	}
	return t
}

// write replaces a row; nil removes it.
func (d *DB) write(name string, key Key, row Row) {
	t := d.table(name)
	old, there := t.rows[key]
	d.written++
	d.journal = append(d.journal, change{name, key, old})
	if n := len(d.journal) - journalSize; n > 0 {
		d.journal = slices.Delete(d.journal, 0, n)
	}
	if row != nil {
		t.rows[key] = clone(row)
	} else {
		delete(t.rows, key)
	}
	if there == (row != nil) {
		return
	}
	part := t.parts[key[0]]
	at, _ := slices.BinarySearch(part, key[1])
	if there {
		part = slices.Delete(part, at, at+1)
	} else {
		part = slices.Insert(part, at, key[1])
	}
	if t.parts[key[0]] = part; len(part) == 0 {
		delete(t.parts, key[0])
	}
	if len(part) == 0 || len(part) == 1 && !there {
		t.first = nil
	}
}

// Set writes a row past all conditions; nil removes it.
func (d *DB) Set(table string, key Key, row Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write(table, key, row)
}

// Rows returns the rows of a table as they are now.
func (d *DB) Rows(table string) map[Key]Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows := make(map[Key]Row)
	for key, row := range d.table(table).rows {
		rows[key] = clone(row)
	}
	return rows
}

// Row returns a row as it is now; nil when there is none.
func (d *DB) Row(table string, key Key) Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	return clone(d.table(table).rows[key])
}

// Written returns how many writes there were.
func (d *DB) Written() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.written
}

// Calls returns how many calls of an operation there were, such as "Query".
func (d *DB) Calls(operation string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[operation]
}

// RowsRead returns how many rows queries and scans have read, those that a
// filter left out included.
func (d *DB) RowsRead() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.read
}

// begin counts a call. It returns what ends it.
func (d *DB) begin(ctx context.Context, operation string) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.calls[operation]++
	return d.mu.Unlock, nil
}

// KeyOf returns the keys of a row, or of a key.
func KeyOf(row Row) Key {
	if row["pk"] != nil {
		return Key{TextOf(row["pk"]), TextOf(row["sk"])}
	}
	return Key{TextOf(row["user_id"]), TextOf(row["connection_id"])}
}

// clone copies a row; what it points to is not changed by anybody, but for bytes.
func clone(row Row) Row {
	copied := maps.Clone(row)
	for name, v := range copied {
		if b, ok := v.(*types.AttributeValueMemberB); ok {
			copied[name] = &types.AttributeValueMemberB{Value: bytes.Clone(b.Value)}
		}
	}
	return copied
}

// TextOf returns the text of a string or a number; "" for anything else.
func TextOf(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// keyRow is a key as a row.
func keyRow(like Row) Row {
	if like["pk"] != nil {
		return Row{"pk": like["pk"], "sk": like["sk"]}
	}
	return Row{"user_id": like["user_id"], "connection_id": like["connection_id"]}
}

// GetItem implements the client.
func (d *DB) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	end, err := d.begin(ctx, "GetItem")
	if err != nil {
		return nil, err
	}
	defer end()
	if err := checkKey(in.Key, true); err != nil {
		return nil, err
	}
	consistent := in.ConsistentRead != nil && *in.ConsistentRead
	v := d.view(*in.TableName, consistent, in)
	row := clone(v.row(KeyOf(in.Key)))
	return &dynamodb.GetItemOutput{Item: row, ConsumedCapacity: readUnits(size(row), consistent)}, nil
}
