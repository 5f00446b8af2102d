package sqsnotify_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

const queueURL = "https://sqs.eu-central-1.amazonaws.com/123456789012/pushes"

// queue is a standard queue with SQS's visibility, by the clock of the test.
type queue struct {
	// fault makes requests fail: a request as a whole with err, before it is
	// done or (lost) after; entries by their index. Called with the lock held.
	fault func(op string, entries int) (f fault)

	mu       sync.Mutex
	messages []*stored
	removed  []*stored
	requests map[string]int
	sent     []types.SendMessageBatchRequestEntry
	changed  chan struct{} // closed at a change
	next     int
	stale    map[string]bool // whose deletion was ignored for a handle that was not the last
}

type fault struct {
	err     error
	lost    bool
	entries map[int]types.BatchResultErrorEntry
}

type stored struct {
	id, body   string
	attributes map[string]types.MessageAttributeValue
	sentAt     time.Time
	visibleAt  time.Time
	receives   int
	handle     string
}

func (q *queue) begin(op string, entries int) fault {
	if q.requests == nil {
		q.requests, q.stale = make(map[string]int), make(map[string]bool)
	}
	q.requests[op]++
	if q.fault == nil {
		return fault{}
	}
	return q.fault(op, entries)
}

func (q *queue) wake() {
	if q.changed != nil {
		close(q.changed)
	}
	q.changed = make(chan struct{})
}

func (q *queue) put(bodies ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, body := range bodies {
		q.add(body, nil, 0)
	}
}

func (q *queue) add(body string, attributes map[string]types.MessageAttributeValue, delay time.Duration) string {
	q.next++
	m := &stored{id: fmt.Sprint("m", q.next), body: body, attributes: attributes, sentAt: time.Now(), visibleAt: time.Now().Add(delay)}
	q.messages = append(q.messages, m)
	q.wake()
	return m.id
}

func (q *queue) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.begin("send", len(in.Entries))
	if f.err != nil && !f.lost {
		return nil, f.err
	}
	total := 0
	ids := make(map[string]bool)
	for _, e := range in.Entries {
		ids[*e.Id] = true
		total += len(*e.MessageBody)
	}
	switch {
	case len(in.Entries) == 0 || len(in.Entries) > 10 || len(ids) != len(in.Entries) || *in.QueueUrl != queueURL && *in.QueueUrl != fifoURL:
		return nil, &smithy.GenericAPIError{Code: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", Fault: smithy.FaultClient}
	case total > 1<<20:
		return nil, &types.BatchRequestTooLong{}
	}
	out := new(sqs.SendMessageBatchOutput)
	for i, e := range in.Entries {
		if failed, ok := f.entries[i]; ok {
			failed.Id = e.Id
			out.Failed = append(out.Failed, failed)
			continue
		}
		q.sent = append(q.sent, e)
		id := q.add(*e.MessageBody, e.MessageAttributes, time.Duration(e.DelaySeconds)*time.Second)
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id, MessageId: &id})
	}
	return out, f.err
}

func (q *queue) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	deadline := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second)
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.begin("receive", 0)
	if f.err != nil && !f.lost {
		return nil, f.err
	}
	for {
		out := new(sqs.ReceiveMessageOutput)
		until := deadline
		for _, m := range q.messages {
			if m.visibleAt.After(time.Now()) {
				if m.visibleAt.Before(until) {
					until = m.visibleAt
				}
				continue
			}
			if len(out.Messages) < int(in.MaxNumberOfMessages) {
				out.Messages = append(out.Messages, q.give(m, in.VisibilityTimeout))
			}
		}
		if len(out.Messages) > 0 || !time.Now().Before(deadline) {
			return out, f.err
		}
		if q.changed == nil {
			q.wake()
		}
		changed := q.changed
		q.mu.Unlock()
		t := time.NewTimer(time.Until(until))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-t.C:
		}
		t.Stop()
		q.mu.Lock()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (q *queue) give(m *stored, visibility int32) types.Message {
	m.receives++
	m.handle = fmt.Sprint(m.id, "#", m.receives)
	m.visibleAt = time.Now().Add(time.Duration(visibility) * time.Second)
	return types.Message{
		MessageId: aws.String(m.id), Body: aws.String(m.body), ReceiptHandle: aws.String(m.handle),
		MessageAttributes: m.attributes,
		Attributes: map[string]string{
			"ApproximateReceiveCount": strconv.Itoa(m.receives),
			"SentTimestamp":           strconv.FormatInt(m.sentAt.UnixMilli(), 10),
		},
	}
}

// held returns the message that a handle is the last of.
func (q *queue) held(handle string) (int, *stored) {
	for i, m := range q.messages {
		if m.handle == handle {
			return i, m
		}
	}
	return 0, nil
}

func (q *queue) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.begin("delete", len(in.Entries))
	if f.err != nil && !f.lost {
		return nil, f.err
	}
	out := new(sqs.DeleteMessageBatchOutput)
	for i, e := range in.Entries {
		if failed, ok := f.entries[i]; ok {
			failed.Id = e.Id
			out.Failed = append(out.Failed, failed)
			continue
		}
		if at, m := q.held(*e.ReceiptHandle); m != nil {
			q.messages = slices.Delete(q.messages, at, at+1)
			q.removed = append(q.removed, m)
			q.wake()
		} else if !slices.ContainsFunc(q.removed, func(m *stored) bool { return m.handle == *e.ReceiptHandle }) {
			id, _, _ := strings.Cut(*e.ReceiptHandle, "#")
			q.stale[id] = true
		}
		out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: e.Id})
	}
	return out, f.err
}

func (q *queue) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.begin("visibility", len(in.Entries))
	if f.err != nil && !f.lost {
		return nil, f.err
	}
	out := new(sqs.ChangeMessageVisibilityBatchOutput)
	for i, e := range in.Entries {
		failed, ok := f.entries[i]
		_, m := q.held(*e.ReceiptHandle)
		if !ok && (m == nil || !m.visibleAt.After(time.Now())) {
			failed, ok = types.BatchResultErrorEntry{Code: aws.String("MessageNotInflight"), SenderFault: true}, true
		}
		if ok {
			failed.Id = e.Id
			out.Failed = append(out.Failed, failed)
			continue
		}
		m.visibleAt = time.Now().Add(time.Duration(e.VisibilityTimeout) * time.Second)
		q.wake()
		out.Successful = append(out.Successful, types.ChangeMessageVisibilityBatchResultEntry{Id: e.Id})
	}
	return out, f.err
}

// left returns the ids of the messages in the queue.
func (q *queue) left() (ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		ids = append(ids, m.id)
	}
	return ids
}

// wasRemoved reports whether a message was deleted.
func (q *queue) wasRemoved(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.removed, func(m *stored) bool { return m.id == id })
}

// ignored reports whether a message's deletion was.
func (q *queue) ignored(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stale[id]
}

func (q *queue) count(op string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.requests[op]
}
