package sweep

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

func FuzzPositions(f *testing.F) {
	f.Add([]byte(`[{"index":0,"count":2,"after":{"user_id":"ann","connection_id":"c1"}},{"index":1,"count":2}]`), 2)
	f.Add([]byte(`[{"index":0,"count":3}]`), 1)
	f.Add([]byte(`null`), 16)
	f.Add([]byte(`[{"index":0,"count":1,"after":{"user_id":"","connection_id":"c1"}}]`), 1)
	f.Fuzz(func(t *testing.T, value []byte, count int) {
		count = min(max(count, 1), maxSegments)
		segs := positions(value, count)
		for i, seg := range segs {
			if seg.Index != i || seg.Count != count || seg.Validate() != nil {
				t.Fatalf("segment %d of %d: %+v", i, count, seg)
			}
			if seg.After != (sumu.ConnectionRef{}) && seg.After.Validate() != nil {
				t.Fatalf("after %+v", seg.After)
			}
		}
		again, err := json.Marshal(segs)
		if err != nil {
			t.Fatal(err)
		}
		for i, seg := range positions(again, count) {
			if seg != segs[i] {
				t.Fatalf("%+v became %+v", segs[i], seg)
			}
		}
	})
}

func TestPositionsFitIntoARecord(t *testing.T) {
	segs := positions(nil, maxSegments)
	for i := range segs {
		segs[i].After = sumu.ConnectionRef{UserID: strings.Repeat("u", sumu.MaxUserID), ConnectionID: strings.Repeat("c", sumu.MaxConnectionID)}
	}
	value, err := json.Marshal(segs)
	if err != nil || len(value) > sumu.MaxRecordValue {
		t.Errorf("%d bytes, %v", len(value), err)
	}
	if got := positions(value, maxSegments); got[maxSegments-1] != segs[maxSegments-1] {
		t.Error("the last position was lost")
	}
	if got := positions(value, 3); got[0].After != (sumu.ConnectionRef{}) || len(got) != 3 {
		t.Errorf("another number of segments: %+v", got[0])
	}
}
