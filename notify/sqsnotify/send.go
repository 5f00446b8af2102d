package sqsnotify

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu/notify/internal/outbox"
)

// call returns what sends one batch with a delay in seconds.
func (c *Client) call(delay int32) outbox.Call[outbox.Message] {
	return func(ctx context.Context, messages []outbox.Message) ([]error, error) {
		in := &sqs.SendMessageBatchInput{
			QueueUrl: &c.queueURL,
			Entries:  make([]types.SendMessageBatchRequestEntry, len(messages)),
		}
		for i := range messages {
			in.Entries[i] = c.entry(i, &messages[i], delay)
		}
		out, err := c.api.SendMessageBatch(ctx, in)
		if err != nil {
			return nil, outbox.Classify("", err)
		}
		o := outbox.NewOutcomes(len(messages))
		for i := range out.Successful {
			o.Set(out.Successful[i].Id, nil)
		}
		setFailed(o, out.Failed)
		return o, nil
	}
}

func (c *Client) entry(i int, m *outbox.Message, delay int32) types.SendMessageBatchRequestEntry {
	e := types.SendMessageBatchRequestEntry{Id: outbox.EntryID(i), MessageBody: &m.Body, DelaySeconds: delay}
	if c.fifo {
		e.MessageGroupId, e.MessageDeduplicationId = &m.Group, &m.Dedup
	}
	if len(m.Attributes) > 0 {
		e.MessageAttributes = make(map[string]types.MessageAttributeValue, len(m.Attributes))
	}
	for _, a := range m.Attributes {
		e.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String(a.Type), StringValue: aws.String(a.Value)}
	}
	return e
}

func setFailed(o outbox.Outcomes, failed []types.BatchResultErrorEntry) {
	for i := range failed {
		f := &failed[i]
		o.Set(f.Id, outbox.EntryError(aws.ToString(f.Code), aws.ToString(f.Message), f.SenderFault))
	}
}
