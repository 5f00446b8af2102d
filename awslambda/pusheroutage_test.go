package awslambda_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
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
