package dynamostore_test

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// isOf reports whether a row, forward or reverse, or its key, is of a target.
func (w *walk) isOf(it row, t target) bool {
	if !strings.Contains(textOf(it["pk"])+textOf(it["sk"]), handleOf(w.conns[t.conn].Ref())) {
		return false
	}
	if t.what < len(modelChannels) {
		name := modelChannels[t.what]
		return prefixed(it, "pk", "channel/") && strings.HasSuffix(textOf(it["pk"]), "/"+name) || textOf(it["sk"]) == "channel/"+name
	}
	id := subID(modelSubs[t.what-len(modelChannels)])
	return strings.HasSuffix(textOf(it["sk"]), "/"+id)
}

var handles = make(map[sumu.ConnectionRef]string)

// handleOf finds out what stands for a connection in keys, once.
func handleOf(ref sumu.ConnectionRef) string { return handles[ref] }

func subID(s sumu.Subscription) string { return subIDs[s.Filter] }

var subIDs = make(map[string]string)

// learnNames reads names from what a store writes.
func learnNames() {
	db := newMemDB()
	w := &walk{now: time.Unix(1_800_000_000, 0)}
	s := w.over(db)
	for i := range modelConns {
		c := sumu.Connection{UserID: "u" + itoa(i), ID: "c"}
		_ = s.Put(bg, c)
		_ = s.Subscribe(bg, c, 0, modelSubs...)
		for key, it := range db.Rows("state") {
			if name, ok := strings.CutPrefix(key[0], "attached/"); ok && textOf(it["user_id"]) == c.UserID {
				handles[c.Ref()] = name
				var sub sumu.Subscription
				_ = json.Unmarshal([]byte(textOf(it["sub"])), &sub)
				subIDs[sub.Filter] = strings.TrimPrefix(key[1], "event/")
			}
		}
	}
}

var _ dynamostore.Client = (*seam)(nil)

func (s *seam) Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	panic("channels and subscriptions must not scan")
}
