package dynamostore

import (
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

// item is a row as DynamoDB has it.
type item = map[string]types.AttributeValue

// The attributes of the connections table.
const (
	attrUser        = "user_id"
	attrID          = "connection_id"
	attrDeleteAt    = "delete_at"    // N, s; of the original stack a String
	attrConnectedAt = "connected_at" // N, ms
	attrExpiresAt   = "expires_at"   // N, s: the token's expiry
	attrEndpoint    = "endpoint"
)

func str(s string) types.AttributeValue  { return &types.AttributeValueMemberS{Value: s} }
func num(n int64) types.AttributeValue   { return &types.AttributeValueMemberN{Value: text(n)} }
func text(n int64) string                { return strconv.FormatInt(n, 10) }
func bin(b []byte) types.AttributeValue  { return &types.AttributeValueMemberB{Value: b} }
func typeN() types.AttributeValue        { return str("N") }
func typeS() types.AttributeValue        { return str("S") }
func connectionKey(user, id string) item { return item{attrUser: str(user), attrID: str(id)} }

// newItem leaves out what is zero: an attribute that is absent reads as zero.
func newItem(c sumu.Connection) item {
	it := connectionKey(c.UserID, c.ID)
	setTime(it, attrDeleteAt, c.DeleteAt, time.Time.Unix)
	setTime(it, attrConnectedAt, c.ConnectedAt, time.Time.UnixMilli)
	setTime(it, attrExpiresAt, c.AuthExpiresAt, time.Time.Unix)
	if c.Endpoint != "" {
		it[attrEndpoint] = str(c.Endpoint)
	}
	return it
}

// connection reads a row of ours, of the original stack, or of any other
// program: what is missing or of another type is zero.
func connection(it item) sumu.Connection {
	return sumu.Connection{
		UserID:        stringOf(it[attrUser]),
		ID:            stringOf(it[attrID]),
		Endpoint:      stringOf(it[attrEndpoint]),
		ConnectedAt:   timeOf(it[attrConnectedAt], time.UnixMilli),
		DeleteAt:      expiryOf(it[attrDeleteAt]),
		AuthExpiresAt: timeOf(it[attrExpiresAt], seconds),
	}
}

func setTime(it item, name string, t time.Time, unit func(time.Time) int64) {
	if !t.IsZero() {
		it[name] = num(unit(t))
	}
}

func seconds(s int64) time.Time { return time.Unix(s, 0) }

func stringOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// numberOf reads an integer; ok is false when there is none.
func numberOf(v types.AttributeValue) (n int64, ok bool) {
	if v, ok := v.(*types.AttributeValueMemberN); ok {
		return whole(v.Value)
	}
	return 0, false
}

func intOf(v types.AttributeValue) int64 {
	n, _ := numberOf(v)
	return n
}

func timeOf(v types.AttributeValue, unit func(int64) time.Time) time.Time {
	if n, ok := numberOf(v); ok {
		return unit(n).UTC()
	}
	return time.Time{}
}

// expiryOf reads a delete_at: a Number, or a String as the original stack
// writes it. Without either the row does not expire.
func expiryOf(v types.AttributeValue) time.Time {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		if n, ok := whole(s.Value); ok {
			return seconds(n).UTC()
		}
		return time.Time{}
	}
	return timeOf(v, seconds)
}

// maxWhole is beyond any time that is meant: 30,000 years in ms.
const maxWhole = 1 << 50

// whole reads a number, rounded down: other programs write fractions too.
func whole(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(f) <= maxWhole) {
			return 0, false
		}
		n = int64(math.Floor(f))
	}
	return n, -maxWhole <= n && n <= maxWhole
}

// liveCondition holds of a row that exists and has not expired. A comparison
// of different types is false, so that each of the two sees its own type; text
// of ten digits sorts as the number that it spells (until the year 2286).
const liveCondition = "attribute_exists(user_id) AND " +
	"(attribute_not_exists(delete_at) OR delete_at > :now OR delete_at > :nowText)"

func liveValues(now int64) item { return item{":now": num(now), ":nowText": str(text(now))} }

// key returns the key of an item of the connections table.
func key(it item) item { return item{attrUser: it[attrUser], attrID: it[attrID]} }

// The consistency of reads. Those on which a promise rests are strongly
// consistent; the package's documentation names each with its promise. Not a
// read of a secondary index: that cannot be.
var (
	consistently = aws.Bool(true)
	eventually   = aws.Bool(false)
)
