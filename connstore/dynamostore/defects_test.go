package dynamostore_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// The defects of the original stack that are the store's, by their names there.

type attributes = map[string]types.AttributeValue

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
func n(v int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(v, 10)}
}

// raw is a connections table, written to as other programs do.
type raw struct {
	*dynamostore.StateStore
	t      *testing.T
	client dynamostore.Client
	table  string
}

func newRaw(t *testing.T, db database, optFns ...func(*dynamostore.Options)) raw {
	o := dynamostore.Options{Connections: "connections"}
	db.named(&o)
	store, err := dynamostore.NewWithState(db.client, append(optFns, db.named)...)
	if err != nil {
		t.Fatal(err)
	}
	return raw{store, t, db.client, o.Connections}
}

func (r raw) put(user, id string, more attributes) {
	r.t.Helper()
	it := attributes{"user_id": s(user), "connection_id": s(id)}
	for k, v := range more {
		it[k] = v
	}
	if _, err := r.client.PutItem(r.t.Context(), &dynamodb.PutItemInput{TableName: &r.table, Item: it}); err != nil {
		r.t.Fatal(err)
	}
}

func (r raw) stored(user, id string) attributes {
	r.t.Helper()
	out, err := r.client.GetItem(r.t.Context(), &dynamodb.GetItemInput{
		TableName: &r.table, Key: attributes{"user_id": s(user), "connection_id": s(id)},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.Item
}

func (r raw) wantByUser(user string, want ...string) {
	r.t.Helper()
	var got []string
	for c, err := range r.ByUser(r.t.Context(), user) {
		if err != nil {
			r.t.Fatal(err)
		}
		got = append(got, c.ID)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("ByUser yields %q, want %q", got, want)
	}
}

// delete_at written as String: TTL never fires.
func TestDeleteAtIsANumberAndAStringIsReadToo(t *testing.T) {
	over(t, testDeleteAtIsANumberAndAStringIsReadToo)
}

func testDeleteAtIsANumberAndAStringIsReadToo(t *testing.T, db database) {
	r, ctx := newRaw(t, db), t.Context()
	at := time.Now().Add(2 * time.Hour).Truncate(time.Second)
	if err := r.Put(ctx, sumu.Connection{UserID: "ann", ID: "ours", DeleteAt: at}); err != nil {
		t.Fatal(err)
	}
	v, ok := r.stored("ann", "ours")["delete_at"].(*types.AttributeValueMemberN)
	if !ok || v.Value != strconv.FormatInt(at.Unix(), 10) {
		t.Errorf("delete_at is %#v, want the Number %d", v, at.Unix())
	}

	text := func(at time.Time) attributes { return attributes{"delete_at": s(strconv.FormatInt(at.Unix(), 10))} }
	r.put("ann", "theirs", text(at))
	r.put("ann", "theirs-expired", text(at.Add(-3*time.Hour)))
	r.wantByUser("ann", "ours", "theirs")
	theirs := sumu.ConnectionRef{UserID: "ann", ConnectionID: "theirs"}
	if c, err := r.Get(ctx, theirs); err != nil || !c.DeleteAt.Equal(at) {
		t.Errorf("Get returns %+v, %v; want DeleteAt %v", c, err, at)
	}
	// They can be renewed, which makes them a Number, but not once expired.
	if err := r.Touch(ctx, theirs, at.Add(time.Hour)); err != nil {
		t.Errorf("Touch: %v", err)
	}
	if _, ok := r.stored("ann", "theirs")["delete_at"].(*types.AttributeValueMemberN); !ok {
		t.Error("after Touch delete_at is not a Number")
	}
	expired := sumu.ConnectionRef{UserID: "ann", ConnectionID: "theirs-expired"}
	if err := r.Touch(ctx, expired, at); err == nil {
		t.Error("Touch brings an expired row back")
	}
	// TTL does not see them: the sweep does.
	if removed, err := r.SweepExpired(ctx, 0); removed != 1 || err != nil {
		t.Errorf("SweepExpired: %d, %v; want 1", removed, err)
	}
	if len(r.stored("ann", "theirs-expired")) > 0 {
		t.Error("the sweep leaves the row whose delete_at is a String")
	}
}

// expired rows are still pushed to and count as online.
func TestExpiredRowsAreNoTargetsAndNotOnline(t *testing.T) {
	over(t, testExpiredRowsAreNoTargetsAndNotOnline)
}

func testExpiredRowsAreNoTargetsAndNotOnline(t *testing.T, db database) {
	r, ctx := newRaw(t, db), t.Context()
	past := time.Now().Add(-time.Minute).Unix()
	r.put("ann", "number", attributes{"delete_at": n(past)})
	r.put("ann", "string", attributes{"delete_at": s(fmt.Sprint(past))})
	r.wantByUser("ann")
	for c, err := range r.All(ctx, sumu.Segment{}) {
		t.Errorf("All yields %+v, %v", c, err)
	}
	if live, err := r.HasLive(ctx, "ann"); live || err != nil {
		t.Errorf("HasLive: %t, %v", live, err)
	}
	if evicted, err := r.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "new"}, 1, false); err != nil || len(evicted) > 0 {
		t.Errorf("PutCapped counts them: %v, %v", evicted, err)
	}
}

// query of a user's connections not paginated.
func TestByUserReadsEveryPage(t *testing.T) { over(t, testByUserReadsEveryPage) }

func testByUserReadsEveryPage(t *testing.T, db database) {
	r := newRaw(t, db, func(o *dynamostore.Options) { o.PageSize = 2 })
	var want []string
	for i := range 9 {
		id := fmt.Sprint("c", i)
		if i == 2 || i == 3 { // A page without a live row is not the end.
			r.put("ann", id, attributes{"delete_at": n(1)})
			continue
		}
		r.put("ann", id, nil)
		want = append(want, id)
	}
	r.wantByUser("ann", want...)
}

// the same stale connection in two records -> duplicate batch-delete keys ->
// error after delivery.
func TestPruneOfOneConnectionTwice(t *testing.T) { over(t, testPruneOfOneConnectionTwice) }

func testPruneOfOneConnectionTwice(t *testing.T, db database) {
	r, ctx := newRaw(t, db), t.Context()
	ref := sumu.ConnectionRef{UserID: "ann", ConnectionID: "c1"}
	r.put("ann", "c1", nil)
	for i, want := range []bool{true, false} {
		if removed, err := r.Prune(ctx, ref, time.Now()); removed != want || err != nil {
			t.Errorf("Prune %d: %t, %v; want %t", i+1, removed, err, want)
		}
	}
}

// a broadcast loads the table into memory.
func TestAllReadsAPageWhenItIsNeeded(t *testing.T) {
	page := make([]attributes, 10)
	for i := range page {
		page[i] = attributes{"user_id": s("ann"), "connection_id": s(fmt.Sprint("c", i))}
	}
	store, d := newDouble(t, func(any) (any, error) { // A table without an end.
		return &dynamodb.ScanOutput{Items: page, LastEvaluatedKey: page[9]}, nil
	})
	rows := 0
	for _, err := range store.All(t.Context(), sumu.Segment{}) {
		if err != nil {
			t.Fatal(err)
		}
		if rows++; len(d.calls) != (rows+9)/10 {
			t.Fatalf("%d pages are read for %d rows", len(d.calls), rows)
		}
		if rows == 1000 {
			break
		}
	}
}

// Rows of other programs: what is missing or of another type does not break a
// page, and such a row counts as old.
func TestRowsWithMissingAttributes(t *testing.T) { over(t, testRowsWithMissingAttributes) }

func testRowsWithMissingAttributes(t *testing.T, db database) {
	r, ctx := newRaw(t, db), t.Context()
	odd := map[string]attributes{
		"a-keys-only":   nil,
		"b-null":        {"delete_at": &types.AttributeValueMemberNULL{Value: true}, "connected_at": &types.AttributeValueMemberNULL{Value: true}},
		"c-other-types": {"connected_at": s("yesterday"), "endpoint": n(7), "expires_at": &types.AttributeValueMemberBOOL{Value: true}},
		"d-text":        {"delete_at": s("never")},
		"e-fraction":    {"delete_at": &types.AttributeValueMemberN{Value: "4102444800.5"}},
		"f-huge":        {"delete_at": &types.AttributeValueMemberN{Value: "1E100"}},
		"g-more":        {"colour": s("blue"), "tags": &types.AttributeValueMemberSS{Value: []string{"x"}}},
	}
	var want []string
	for id, more := range odd {
		r.put("ann", id, more)
		want = append(want, id)
	}
	slices.Sort(want)
	r.wantByUser("ann", want...)
	if removed, err := r.SweepExpired(ctx, 0); removed != 0 || err != nil {
		t.Errorf("SweepExpired: %d, %v; want none", removed, err)
	}
	// They are evicted and pruned as any other.
	evicted, err := r.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "z", ConnectedAt: time.Now()}, 5, true)
	if err != nil || len(evicted) != 3 {
		t.Errorf("PutCapped evicts %d rows, %v; want 3", len(evicted), err)
	}
	for _, id := range want[3:] {
		if removed, err := r.Prune(ctx, sumu.ConnectionRef{UserID: "ann", ConnectionID: id}, time.Unix(1, 0)); !removed || err != nil {
			t.Errorf("Prune of %s: %t, %v", id, removed, err)
		}
	}
	r.wantByUser("ann", "z")
}

// An attribute that another program keeps in a row survives what we change.
func TestTouchKeepsAttributesOfOthers(t *testing.T) { over(t, testTouchKeepsAttributesOfOthers) }

func testTouchKeepsAttributesOfOthers(t *testing.T, db database) {
	r, ctx := newRaw(t, db), t.Context()
	r.put("ann", "c1", attributes{"colour": s("blue")})
	ref := sumu.ConnectionRef{UserID: "ann", ConnectionID: "c1"}
	if err := r.Touch(ctx, ref, soon); err != nil {
		t.Fatal(err)
	}
	if err := r.Refresh(ctx, ref, soon); err != nil {
		t.Fatal(err)
	}
	if colour, ok := r.stored("ann", "c1")["colour"].(*types.AttributeValueMemberS); !ok || colour.Value != "blue" {
		t.Errorf("the attribute is %v", colour)
	}
}
