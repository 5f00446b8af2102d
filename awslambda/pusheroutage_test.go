package awslambda_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// A message that an outage keeps stays hidden for longer with each receive.
func TestSQSPostponesAFault(t *testing.T) {
	down := &sumu.Error{Op: "store", Kind: sumu.ErrUnavailable}
	var got []time.Duration
	var out sumu.Outcome
	h := must(awslambda.NewPusher(workerFunc(func([]sumu.Delivery) []sumu.Outcome {
		return []sumu.Outcome{out}
	}), func(o *awslambda.PusherOptions) {
		o.Postpone = func(_ context.Context, _ events.SQSMessage, d time.Duration) error {
			got = append(got, d)
			return nil
		}
	}))
	for _, tc := range []struct {
		receives   int
		retryAfter time.Duration
		fault      bool
		want       time.Duration // 0: it is not postponed
	}{
		{1, 0, true, 30 * time.Second},
		{2, 0, true, time.Minute},
		{4, 0, true, 4 * time.Minute},
		{5, 0, true, 5 * time.Minute},
		{1000, 0, true, 5 * time.Minute},
		{0, 0, true, 30 * time.Second}, // Not told.
		{1, 40 * time.Second, true, 40 * time.Second},
		{3, 40 * time.Second, true, 2 * time.Minute},
		{3, 40 * time.Second, false, 40 * time.Second},
		{3, 0, false, 0},
	} {
		got, out = nil, sumu.Outcome{Err: down, RetryAfter: tc.retryAfter, Fault: tc.fault}
		m := events.SQSMessage{MessageId: "m1", Body: "{}"}
		if tc.receives > 0 {
			m.Attributes = map[string]string{"ApproximateReceiveCount": strconv.Itoa(tc.receives)}
		}
		answer, err := h.SQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{m}})
		if err != nil || len(answer.BatchItemFailures) != 1 {
			t.Fatalf("%+v: %+v, %v; want it returned as failed", tc, answer, err)
		}
		if want := tc.want; want == 0 && got != nil || want > 0 && (len(got) != 1 || got[0] != want) {
			t.Errorf("%+v: postponed by %v", tc, got)
		}
	}
}

// downRecords is a state table that cannot be written for now.
type downRecords struct{ *memstore.Store }

func (downRecords) SaveRecord(context.Context, sumu.Record) error {
	return &sumu.Error{Op: "save", Kind: sumu.ErrUnavailable}
}

// What each trigger is told while the state table is down.
func TestAnOutageOnLambda(t *testing.T) {
	const request = `{"id":"n","users":["ann"],"data":1}`
	sqs := func(arn, receives string) []byte {
		return []byte(jsonText(map[string]any{"Records": []any{map[string]any{
			"messageId": "m1", "body": request, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:" + arn,
			"attributes": map[string]string{"ApproximateReceiveCount": receives, "MessageGroupId": "g"},
		}}}))
	}
	for name, tc := range map[string]struct {
		event   []byte
		ordered bool
		failed  []string
		moved   int
	}{
		"a topic":                 {golden(t, "sns-event.json", `"Hello from SNS!"`, jsonText(request)), false, nil, 1},
		"a stream":                {kinesisEvent(request), false, nil, 1},
		"an ordered stream waits": {kinesisEvent(request), true, []string{"s1"}, 0},
		"a queue, first":          {sqs("requests", "1"), false, []string{"m1"}, 0},
		"a queue, third":          {sqs("requests", "3"), false, nil, 1},
		"a FIFO queue waits":      {sqs("requests.fifo", "3"), false, []string{"m1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			store, queue := new(memstore.Store), new(requeued)
			worker := must(pusher.NewWorker(must(pusher.New(store, new(postLog))), queue, func(o *pusher.WorkerOptions) {
				o.Records = downRecords{store}
			}))
			h := must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) { o.Ordered = tc.ordered }))
			answer, err := h.Invoke(t.Context(), tc.event)
			if err != nil {
				t.Fatalf("the invocation fails: %v", err)
			}
			for _, id := range tc.failed {
				if !strings.Contains(string(answer), `"itemIdentifier":"`+id+`"`) {
					t.Errorf("answer %s; want %s in it", answer, id)
				}
			}
			if tc.failed == nil && strings.Contains(string(answer), "itemIdentifier") {
				t.Errorf("answer %s; want none that failed", answer)
			}
			if len(queue.got) != tc.moved {
				t.Errorf("%d messages were moved; want %d", len(queue.got), tc.moved)
			}
		})
	}
}
