package awslambda

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/envelope"
)

// record is a message of a queue, topic or stream.
type record struct {
	id string // how a failure names it: SQS's message id, a sequence number
	sumu.Delivery
	err error // why it cannot be read; all else but id is then empty
	sqs *events.SQSMessage
}

// decodeEach decodes records one by one. One that cannot be decoded is
// replaced by what broken makes of it; if that can tell no id, nothing could
// report the record, and the whole event is refused.
func decodeEach[T any](e *event, broken func(raw json.RawMessage, err error) (T, bool)) ([]T, error) {
	list := make([]T, len(e.records))
	for i, raw := range e.records {
		if err := json.Unmarshal(raw, &list[i]); err != nil {
			t, ok := broken(raw, invalid("record has another shape")) // err may repeat a part of it.
			if !ok {
				return nil, invalid("Records[%d] cannot be read", i)
			}
			list[i] = t
		}
	}
	return list, nil
}

// sqsRecords reads the records of an event of [KindSQS].
func sqsRecords(e *event) ([]record, error) {
	type item struct {
		events.SQSMessage
		err error
	}
	items, err := decodeEach(e, func(raw json.RawMessage, err error) (item, bool) {
		var head struct {
			MessageID string `json:"messageId"`
		}
		_ = json.Unmarshal(raw, &head) // It reads what it can.
		it := item{err: err}
		it.MessageId = head.MessageID
		return it, head.MessageID != ""
	})
	if err != nil {
		return nil, err
	}
	recs := make([]record, len(items))
	for i := range items {
		if items[i].err != nil {
			recs[i] = record{id: items[i].MessageId, err: items[i].err}
			continue
		}
		recs[i] = fromSQS(&items[i].SQSMessage)
	}
	return recs, named(recs)
}

// named returns ErrInvalid for a record that has no id to report it by: an
// answer that leaves it out would be taken for its success.
func named(recs []record) error {
	for i := range recs {
		if recs[i].id == "" {
			return invalid("Records[%d] has no id", i)
		}
	}
	return nil
}

func fromSQS(m *events.SQSMessage) record {
	r := record{id: m.MessageId, Delivery: sumu.Delivery{MessageID: m.MessageId, Body: []byte(m.Body)}, sqs: m}
	if n, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"]); err == nil {
		r.Receives = max(n, 1)
	}
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		r.SentAt = time.UnixMilli(ms)
	}
	// Standard queues may have groups too, for fairness; they keep no order.
	if strings.HasSuffix(m.EventSourceARN, ".fifo") {
		r.Group = m.Attributes["MessageGroupId"]
	}
	// A topic that wraps its messages sets no attributes beside. A body that
	// comes with some was sent to the queue itself, perhaps by a client: taken
	// for an envelope it could claim to be from anybody.
	if len(m.MessageAttributes) == 0 {
		if e, ok := envelope.Unwrap(m.Body); ok {
			r.MessageID, r.Body, r.Attributes = e.MessageID, []byte(e.Message), e.Attributes
			if !e.Timestamp.IsZero() {
				r.SentAt = e.Timestamp
			}
		}
		return r
	}
	r.Attributes = make(map[string]string, len(m.MessageAttributes))
	for name, a := range m.MessageAttributes {
		if a.StringValue != nil && !strings.HasPrefix(a.DataType, "Binary") {
			r.Attributes[name] = *a.StringValue
		}
	}
	return r
}

// snsEntity is what is needed of an SNS record: events.SNSEntity refuses the
// whole of it for a time of another format.
type snsEntity struct {
	SNS struct {
		MessageID  string `json:"MessageId"`
		Timestamp  string
		Message    string
		Attributes map[string]struct{ Type, Value string } `json:"MessageAttributes"`
	} `json:"Sns"`
}

func snsRecords(e *event) ([]record, error) {
	recs := make([]record, len(e.records))
	for i, raw := range e.records {
		var s snsEntity
		if err := json.Unmarshal(raw, &s); err != nil {
			recs[i] = record{id: s.SNS.MessageID, err: invalid("record has another shape")}
			continue
		}
		r := record{id: s.SNS.MessageID, Delivery: sumu.Delivery{MessageID: s.SNS.MessageID, Body: []byte(s.SNS.Message)}}
		r.SentAt, _ = time.Parse(time.RFC3339, s.SNS.Timestamp)
		r.Attributes = make(map[string]string, len(s.SNS.Attributes))
		for name, a := range s.SNS.Attributes {
			if !strings.HasPrefix(a.Type, "Binary") {
				r.Attributes[name] = a.Value
			}
		}
		recs[i] = r
	}
	return recs, named(recs)
}

func fromSNS(event *events.SNSEvent) ([]record, error) {
	recs := make([]record, len(event.Records))
	for i := range event.Records {
		s := &event.Records[i].SNS
		r := record{id: s.MessageID, Delivery: sumu.Delivery{MessageID: s.MessageID, Body: []byte(s.Message), SentAt: s.Timestamp}}
		r.Attributes = make(map[string]string, len(s.MessageAttributes))
		for name, a := range s.MessageAttributes {
			members, _ := a.(map[string]any)
			kind, _ := members["Type"].(string)
			if value, ok := members["Value"].(string); ok && !strings.HasPrefix(kind, "Binary") {
				r.Attributes[name] = value
			}
		}
		recs[i] = r
	}
	return recs, named(recs)
}

// kinesisRecords reads the records of an event of [KindKinesis].
func kinesisRecords(e *event) ([]record, error) {
	type item struct {
		events.KinesisEventRecord
		err error
	}
	items, err := decodeEach(e, func(raw json.RawMessage, err error) (item, bool) {
		var head struct {
			Kinesis struct {
				SequenceNumber string `json:"sequenceNumber"`
			} `json:"kinesis"`
		}
		_ = json.Unmarshal(raw, &head)
		it := item{err: err}
		it.Kinesis.SequenceNumber = head.Kinesis.SequenceNumber
		return it, head.Kinesis.SequenceNumber != ""
	})
	if err != nil {
		return nil, err
	}
	recs := make([]record, len(items))
	for i := range items {
		recs[i] = fromKinesis(&items[i].KinesisEventRecord)
		recs[i].err = items[i].err
	}
	return recs, named(recs)
}

func fromKinesis(k *events.KinesisEventRecord) record {
	// The event id has the shard too: a sequence number alone is unique within it.
	return record{id: k.Kinesis.SequenceNumber, Delivery: sumu.Delivery{
		MessageID: k.EventID, Body: k.Kinesis.Data,
		Group: k.Kinesis.PartitionKey, SentAt: k.Kinesis.ApproximateArrivalTimestamp.Time,
	}}
}
