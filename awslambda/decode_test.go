package awslambda_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
)

// lines decodes a record that holds a request per line; "!" is none.
func lines(data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if string(data) == "panic" {
			panic("decoder")
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			var err error
			if line == "!" {
				err = &sumu.Error{Op: "no request", Kind: sumu.ErrInvalid}
			}
			if !yield([]byte(line), err) {
				return
			}
		}
	}
}

func TestKinesisDecodes(t *testing.T) {
	var batch, sunk []string
	fail := ""
	worker := workerFunc(func(deliveries []sumu.Delivery) []sumu.Outcome {
		out := make([]sumu.Outcome, len(deliveries))
		for i, d := range deliveries {
			batch = append(batch, fmt.Sprintf("%s=%s", strings.TrimPrefix(d.MessageID, "shardId-000000000000:"), d.Body))
			if string(d.Body) == fail {
				out[i].Err = &sumu.Error{Op: "store", Kind: sumu.ErrThrottled}
			}
		}
		return out
	})
	h := must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) {
		o.Decode = lines
		o.Reject = func(_ context.Context, d sumu.Delivery, reason error) error {
			sunk = append(sunk, string(d.Body))
			return nil
		}
	}))
	event := kinesisEvent("a", "b\n!\nc", "panic", "d")
	wantFailures(t, call[failures](t, h, event))
	// In order, and each told apart, so that none is taken for another's redelivery.
	if got := strings.Join(batch, " "); got != "s1=a s2=b s2+2=c s4=d" {
		t.Errorf("the worker got %q", got)
	}
	if got := strings.Join(sunk, " "); got != "! panic" {
		t.Errorf("rejected were %q", got)
	}
	// A record of which one request failed comes again.
	fail = "c"
	wantFailures(t, call[failures](t, h, event), "s2")
	// Without a sink, what is no request is named.
	wantFailures(t, call[failures](t, must(awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) { o.Decode = lines })), kinesisEvent("a", "!")), "s2")
	// Queues and topics bring requests as they are.
	batch = nil
	wantFailures(t, call[failures](t, h, sqsEvent("x\ny")))
	if got := strings.Join(batch, " "); !strings.HasSuffix(got, "=x\ny") || len(batch) != 1 {
		t.Errorf("the worker got %q of a queue", got)
	}
}

// A sink that fails keeps the record.
func TestKinesisDecodeKeepsWhatNobodyTook(t *testing.T) {
	h := must(awslambda.NewPusher(workerFunc(func(d []sumu.Delivery) []sumu.Outcome { return make([]sumu.Outcome, len(d)) }),
		func(o *awslambda.PusherOptions) {
			o.Decode = lines
			o.Reject = func(context.Context, sumu.Delivery, error) error { return errors.New("sink is full") }
		}))
	wantFailures(t, call[failures](t, h, kinesisEvent("a", "b\n!", "c")), "s2")
}
