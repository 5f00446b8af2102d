package dynamostore

import (
	"math/big"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestExpiryOf(t *testing.T) {
	for text, want := range map[string]int64{
		"1575929040": 1575929040, "1575929040.75": 1575929040, "0": 0, "-1": -1, "-0.5": -1, "1.5759E9": 1575900000,
	} {
		for _, v := range []types.AttributeValue{
			&types.AttributeValueMemberN{Value: text}, &types.AttributeValueMemberS{Value: text},
		} {
			if got := expiryOf(v); got.IsZero() || got.Unix() != want {
				t.Errorf("%T %q is %v, want %d", v, text, got, want)
			}
		}
	}
	for _, text := range []string{"", "never", "1e400", "NaN", "Inf", "-Inf", "9223372036854775807", "1e30"} {
		if got := expiryOf(&types.AttributeValueMemberS{Value: text}); !got.IsZero() {
			t.Errorf("%q is %v, want never", text, got)
		}
	}
}

// FuzzWhole holds whole to arbitrary precision: what it returns is the number,
// rounded down, and near enough to now to be a time.
func FuzzWhole(f *testing.F) {
	for _, text := range []string{"1575929040", "1575929040.5", "-3.2", "1E9", "", "x", "0x10", "1e400", "1_000"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := whole(text)
		if !ok {
			return
		}
		if n < -maxWhole || n > maxWhole {
			t.Fatalf("%q is %d", text, n)
		}
		if at := time.Unix(n, 0); at.Unix() != n || at.IsZero() && n != (time.Time{}).Unix() {
			t.Fatalf("%q is not a time: %v", text, at)
		}
		if len(text) > 20 { // A float has no more digits.
			return
		}
		exact, _, err := big.ParseFloat(text, 10, 200, big.ToNegativeInf)
		if err != nil {
			return // Hexadecimal, which DynamoDB never sends.
		}
		near := new(big.Float).Sub(exact, new(big.Float).SetInt64(n))
		if d, _ := near.Float64(); d < -1 || d > 1.5 {
			t.Fatalf("%q is %d", text, n)
		}
	})
}
