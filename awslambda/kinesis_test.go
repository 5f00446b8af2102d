package awslambda_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
)

// kinesisEvent has the sequence numbers "s1", "s2", ….
func kinesisEvent(bodies ...string) []byte {
	var recs []map[string]any
	for i, body := range bodies {
		seq := fmt.Sprintf("s%d", i+1)
		recs = append(recs, map[string]any{
			"eventSource": "aws:kinesis", "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/requests",
			"eventID": "shardId-000000000000:" + seq,
			"kinesis": map[string]any{
				"data": base64.StdEncoding.EncodeToString([]byte(body)), "sequenceNumber": seq,
				"partitionKey": "p" + body[:1], "approximateArrivalTimestamp": 1480641523.477,
			},
		})
	}
	return []byte(jsonText(map[string]any{"Records": recs}))
}

func TestKinesisRejectsAndGoesOn(t *testing.T) {
	store, posts, worker := realWorker(t)
	row(t, store, "ann", "a1")
	var sunk []string
	h := must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) {
		o.Reject = func(_ context.Context, d sumu.Delivery, _ error) error {
			sunk = append(sunk, d.MessageID)
			return nil
		}
	}))
	event := kinesisEvent(`{"users":["ann"],"data":1}`, `nonsense`, `{"users":["ann"],"data":3}`, `{"users":["ann"]}`)
	wantFailures(t, call[failures](t, h, event))
	if len(posts.of("a1")) != 2 || len(sunk) != 2 || sunk[0] != "shardId-000000000000:s2" {
		t.Errorf("posts %q, sunk %q", posts.of("a1"), sunk)
	}
	// Replayed, as after a failure elsewhere in the shard.
	wantFailures(t, call[failures](t, h, event))
	if len(posts.of("a1")) != 2 {
		t.Errorf("a replay posts again: %q", posts.of("a1"))
	}
	// Without a sink a poison record is named, rather than lost.
	wantFailures(t, call[failures](t, must(awslambda.NewPusher(worker)), event), "s2")
}

func TestKinesisNamesTheFirstThatFailed(t *testing.T) {
	var groups []string
	worker := workerFunc(func(batch []sumu.Delivery) []sumu.Outcome {
		out := make([]sumu.Outcome, len(batch))
		groups = nil
		for i, d := range batch {
			groups = append(groups, d.Group)
			if i > 0 && i < 3 {
				out[i].Err = &sumu.Error{Op: "store", Kind: sumu.ErrThrottled}
			}
		}
		return out
	})
	h := must(awslambda.NewPusher(worker))
	wantFailures(t, call[failures](t, h, kinesisEvent("1", "2", "3", "4")), "s2")
	if strings.Join(groups, "") != "" {
		t.Errorf("groups are %q", groups)
	}
	ordered := must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) { o.Ordered = true }))
	wantFailures(t, call[failures](t, ordered, kinesisEvent("1", "2", "3", "4")), "s2")
	if strings.Join(groups, " ") != "p1 p2 p3 p4" {
		t.Errorf("groups are %q, want the partition keys", groups)
	}
	var in events.KinesisEvent
	if err := json.Unmarshal(golden(t, "kinesis-event.json"), &in); err != nil {
		t.Fatal(err)
	}
	out, err := h.Kinesis(t.Context(), in)
	if err != nil || len(out.BatchItemFailures) != 1 || out.BatchItemFailures[0].ItemIdentifier != in.Records[1].Kinesis.SequenceNumber {
		t.Errorf("the typed method: %+v, %v", out, err)
	}
	in.Records[1].Kinesis.SequenceNumber = ""
	if out, err := h.Kinesis(t.Context(), in); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("a record that nothing can name: %+v, %v", out, err)
	}
}

// A record of another shape than the platform's costs only itself, as long as
// it can be named.
func TestRecordsThatCannotBeDecoded(t *testing.T) {
	handled := 0
	h := must(awslambda.NewPusher(workerFunc(func(batch []sumu.Delivery) []sumu.Outcome {
		handled += len(batch)
		return make([]sumu.Outcome, len(batch))
	})))
	change := func(event []byte, change func(second map[string]any)) []byte {
		var e map[string][]map[string]any
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatal(err)
		}
		change(e["Records"][1])
		return []byte(jsonText(e))
	}
	wantFailures(t, call[failures](t, h, change(sqsEvent("1", "2", "3"), func(r map[string]any) { r["body"] = 5 })), "m2")
	wantFailures(t, call[failures](t, h, change(kinesisEvent("1", "2", "3"), func(r map[string]any) {
		r["kinesis"].(map[string]any)["data"] = "?"
	})), "s2")
	if handled != 4 {
		t.Errorf("%d records were handled, want 4", handled)
	}
	for name, event := range map[string][]byte{
		"sqs":     change(sqsEvent("1", "2"), func(r map[string]any) { delete(r, "messageId") }),
		"sqs too": change(sqsEvent("1", "2"), func(r map[string]any) { r["messageId"] = 5 }),
		"kinesis": change(kinesisEvent("1", "2"), func(r map[string]any) { delete(r, "kinesis") }),
	} {
		if out, err := h.Invoke(t.Context(), event); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s without an id: %s, %v; nothing could name it", name, out, err)
		}
	}
}
