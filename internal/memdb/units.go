package memdb

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// size is about what DynamoDB counts of a row: names and values.
func size(row Row) (n int) {
	for name, v := range row {
		n += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += (len(v.Value)+1)/2 + 1
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		default:
			n++
		}
	}
	return n
}

func units(n float64) *types.ConsumedCapacity { return &types.ConsumedCapacity{CapacityUnits: &n} }

// readUnits are those of a call that has read so many bytes: whole 4 KB, at half
// the price unless it is strongly consistent.
func readUnits(bytes int, consistent bool) *types.ConsumedCapacity {
	n := float64(max(1, (bytes+4095)/4096))
	if !consistent {
		n /= 2
	}
	return units(n)
}

// writeUnits are those of a write: whole KB of the larger row.
func writeUnits(each int, rows ...Row) *types.ConsumedCapacity {
	n := 1
	for _, row := range rows {
		n = max(n, (size(row)+1023)/1024)
	}
	return units(float64(each * n))
}
