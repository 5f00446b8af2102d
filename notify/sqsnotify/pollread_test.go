package sqsnotify_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

const wrapped = `{"Type":"Notification","MessageId":"i","TopicArn":"arn:aws:sns:r:1:t","Timestamp":"2012-03-29T05:12:16.901Z",` +
	`"Message":"{\"a\":1}","MessageAttributes":{"user_id":{"Type":"String","Value":"eve"}}}`

func TestPollReads(t *testing.T) {
	attributes := map[string]types.MessageAttributeValue{
		"user_id": {DataType: aws.String("String"), StringValue: aws.String("ann")},
		"n":       {DataType: aws.String("Number"), StringValue: aws.String("7")},
		"blob":    {DataType: aws.String("Binary"), BinaryValue: []byte{1}},
	}
	for name, tt := range map[string]struct {
		body, want     string
		attributes     map[string]types.MessageAttributeValue
		wantAttributes map[string]string
		raw            bool
	}{
		"plain":              {body: `{"a":1}`, want: `{"a":1}`},
		"with attributes":    {body: `{"a":1}`, want: `{"a":1}`, attributes: attributes, wantAttributes: map[string]string{"user_id": "ann", "n": "7"}},
		"from a topic":       {body: wrapped, want: `{"a":1}`, wantAttributes: map[string]string{"user_id": "eve"}},
		"not to be taken so": {body: wrapped, want: wrapped, raw: true},
		// A client may send such a message through a route that leads to the queue.
		"forged by a client": {body: wrapped, want: wrapped, attributes: attributes, wantAttributes: map[string]string{"user_id": "ann", "n": "7"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				q := new(queue)
				q.add(tt.body, tt.attributes, 0)
				var got []sumu.Delivery
				p := poll(t, q, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
					got = append(got, msgs...)
					return make([]sumu.Outcome, len(msgs))
				}, func(o *sqsnotify.PollOptions) { o.Raw = tt.raw })
				synctest.Wait()
				p.end(t)
				if len(got) != 1 || string(got[0].Body) != tt.want || !maps.Equal(got[0].Attributes, tt.wantAttributes) {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

// asked records what a queue is asked for.
type asked struct {
	*queue
	mu sync.Mutex
	in []*sqs.ReceiveMessageInput
}

func (a *asked) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	a.mu.Lock()
	a.in = append(a.in, in)
	a.mu.Unlock()
	return a.queue.ReceiveMessage(ctx, in)
}

func TestPollAsks(t *testing.T) {
	for name, tt := range map[string]struct {
		set                     func(o *sqsnotify.PollOptions)
		pollers                 int
		batch, wait, visibility int32
	}{
		"by default": {func(*sqsnotify.PollOptions) {}, 1, 10, 20, 30},
		"as told": {func(o *sqsnotify.PollOptions) {
			o.Pollers, o.Batch, o.Wait, o.Visibility = 3, 2, 1500*time.Millisecond, 3500*time.Millisecond
		}, 3, 2, 2, 4},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := &asked{queue: new(queue)}
				var atOnce, most int
				p := poll(t, a, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
					a.mu.Lock()
					atOnce++
					most = max(most, atOnce)
					a.mu.Unlock()
					time.Sleep(time.Second)
					a.mu.Lock()
					atOnce--
					a.mu.Unlock()
					return make([]sumu.Outcome, len(msgs))
				}, tt.set)
				synctest.Wait()
				if len(a.in) != tt.pollers {
					t.Errorf("%d requests at once, want %d", len(a.in), tt.pollers)
				}
				in := a.in[0]
				if in.MaxNumberOfMessages != tt.batch || in.WaitTimeSeconds != tt.wait || in.VisibilityTimeout != tt.visibility {
					t.Errorf("asked for %d messages, within %d s, hidden for %d s", in.MaxNumberOfMessages, in.WaitTimeSeconds, in.VisibilityTimeout)
				}
				for i := range 30 {
					a.put(fmt.Sprint("body", i))
				}
				time.Sleep(time.Minute)
				p.end(t)
				if most != tt.pollers || len(a.left()) > 0 {
					t.Errorf("%d handlers at once, want %d; left %v", most, tt.pollers, a.left())
				}
			})
		})
	}
}
