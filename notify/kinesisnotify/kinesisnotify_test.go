package kinesisnotify_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/kinesisnotify"
)

// stream takes what Kinesis would, and fails as it is told to.
type stream struct {
	inputs  []*kinesis.PutRecordsInput
	records []types.PutRecordsRequestEntry
	limit   int // of a record
	fail    func(request int, record string) (code string)
	err     error
	short   bool // the reply misses a record
}

func (s *stream) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	s.inputs = append(s.inputs, in)
	if s.err != nil {
		return nil, s.err
	}
	total := 0
	for _, r := range in.Records {
		size := len(r.Data) + len(*r.PartitionKey)
		total += size
		if size > cmp.Or(s.limit, 1<<20) || utf8.RuneCountInString(*r.PartitionKey) > 256 || *r.PartitionKey == "" {
			return nil, &types.InvalidArgumentException{}
		}
	}
	if len(in.Records) > 500 || total > 10<<20 {
		return nil, &types.InvalidArgumentException{}
	}
	out := &kinesis.PutRecordsOutput{FailedRecordCount: aws.Int32(0)}
	for _, r := range in.Records {
		if s.fail != nil {
			if code := s.fail(len(s.inputs), string(r.Data)); code != "" {
				*out.FailedRecordCount++
				out.Records = append(out.Records, types.PutRecordsResultEntry{ErrorCode: &code})
				continue
			}
		}
		s.records = append(s.records, r)
		out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: aws.String("1"), ShardId: aws.String("s")})
	}
	if s.short {
		s.short = false
		out.Records = out.Records[1:]
	}
	return out, nil
}

func (s *stream) ids(t *testing.T) (ids []string) {
	t.Helper()
	for _, r := range s.records {
		n, err := sumu.ParseNotification(r.Data)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID)
	}
	return ids
}

func newClient(t *testing.T, s *stream, optFns ...func(*kinesisnotify.Options)) *kinesisnotify.Client {
	t.Helper()
	c, err := kinesisnotify.New(s, "pushes", optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func toUser(id, user string) sumu.Notification {
	return sumu.Notification{ID: id, Users: []string{user}, Data: json.RawMessage(`{"a": "<b>"}`)}
}

func TestSend(t *testing.T) {
	s := new(stream)
	if err := newClient(t, s).Send(t.Context(), toUser("n1", "ann")); err != nil {
		t.Fatal(err)
	}
	if want := `{"id":"n1","users":["ann"],"data":{"a": "<b>"}}`; string(s.records[0].Data) != want {
		t.Errorf("record: got %s, want %s", s.records[0].Data, want)
	}
	if in := s.inputs[0]; aws.ToString(in.StreamName) != "pushes" || in.StreamARN != nil {
		t.Errorf("stream: %+v", in)
	}
	const arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/pushes"
	c, err := kinesisnotify.New(s, arn)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), toUser("n1", "ann")); err != nil || aws.ToString(s.inputs[1].StreamARN) != arn || s.inputs[1].StreamName != nil {
		t.Errorf("stream: %+v, %v", s.inputs[1], err)
	}
}

func TestPartitionKey(t *testing.T) {
	s := new(stream)
	data := json.RawMessage(`1`)
	ns := []sumu.Notification{
		toUser("n1", "ann"),
		{ID: "n2", Users: []string{"ann", "bob"}, Data: data},
		{ID: "n3", Everyone: true, Data: data},
		{ID: "n4", Users: []string{strings.Repeat("é", 256)}, Data: data},
		{ID: "n5", Users: []string{strings.Repeat("é", 257)}, Data: data},
		{ID: "n6", Event: &sumu.Event{Type: "t"}},
	}
	if err := errors.Join(newClient(t, s).SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"ann", "n2", "n3", strings.Repeat("é", 256), "sha256.", "n6"} {
		if got := *s.records[i].PartitionKey; got != want && (want != "sha256." || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: got %q, want %q", ns[i].ID, got, want)
		}
	}
	chosen := newClient(t, s, func(o *kinesisnotify.Options) {
		o.PartitionKey = func(n *sumu.Notification) string { return strings.TrimPrefix(n.ID, "n1") }
	})
	if err := errors.Join(chosen.SendBatch(t.Context(), ns[0], ns[1])...); err != nil || *s.records[6].PartitionKey != "n1" || *s.records[7].PartitionKey != "n2" {
		t.Errorf("chosen: %q, %q, %v", *s.records[6].PartitionKey, *s.records[7].PartitionKey, err)
	}
}

// Batches keep to 500 records, and to the bytes of a request.
func TestSendBatch(t *testing.T) {
	s := new(stream)
	c := newClient(t, s)
	var ns []sumu.Notification
	for i := range 1001 {
		ns = append(ns, toUser(fmt.Sprint("n", i), "ann"))
	}
	if err := errors.Join(c.SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	if len(s.inputs) != 3 || len(s.records) != 1001 {
		t.Errorf("%d records in %d requests", len(s.records), len(s.inputs))
	}
	ns = ns[:0]
	data := json.RawMessage(`"` + strings.Repeat("x", sumu.MaxPayload-2) + `"`)
	for i := range 90 { // 11.25 MiB and more
		ns = append(ns, sumu.Notification{ID: fmt.Sprint("n", i), Everyone: true, Data: data})
	}
	s.inputs = nil
	if err := errors.Join(c.SendBatch(t.Context(), ns...)...); err != nil || len(s.inputs) != 3 {
		t.Errorf("large ones: %v, in %d requests", err, len(s.inputs))
	}
}

func TestSendSplits(t *testing.T) {
	var users []string
	for i := range 60_000 {
		users = append(users, fmt.Sprintf("user-%020d", i))
	}
	n := sumu.Notification{ID: "n1", Users: users, Data: json.RawMessage(`1`)}
	for _, tt := range []struct{ limit, records int }{{0, 2}, {kinesisnotify.MaxBytes, 1}} {
		s := &stream{limit: tt.limit}
		c := newClient(t, s, func(o *kinesisnotify.Options) { o.MaxBytes = tt.limit })
		if err := c.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range s.records {
			p, err := sumu.ParseNotification(r.Data)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Users...)
		}
		if !slices.Equal(got, users) || len(s.records) != tt.records {
			t.Errorf("limit %d: %d users in %d records, want %d", tt.limit, len(got), len(s.records), tt.records)
		}
	}
}

// A record's limit counts its partition key too.
func TestSendCountsTheKey(t *testing.T) {
	s := &stream{limit: 4096}
	c := newClient(t, s, func(o *kinesisnotify.Options) { o.MaxBytes = 4096 })
	large := 0
	for size := 2000; size < 4100; size += 50 {
		n := toUser("n1", strings.Repeat("é", 256))
		n.Data = json.RawMessage(`"` + strings.Repeat("x", size) + `"`)
		if err := c.Send(t.Context(), n); errors.Is(err, sumu.ErrTooLarge) {
			large++
		} else if err != nil {
			t.Fatalf("data of %d bytes: %v", size, err)
		}
	}
	if large == 0 || len(s.records) == 0 {
		t.Errorf("%d were too large, %d were not", large, len(s.records))
	}
}

// Only the records that failed are put again.
func TestSendBatchRetriesWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stream{fail: func(request int, record string) string {
			switch {
			case strings.Contains(record, `"n1"`) && request < 3:
				return "ProvisionedThroughputExceededException"
			case strings.Contains(record, `"n2"`):
				return "InternalFailure"
			}
			return ""
		}}
		errs := newClient(t, s).SendBatch(t.Context(), toUser("n0", "a"), toUser("n1", "a"), toUser("n2", "a"), toUser("n3", "a"))
		var api smithy.APIError
		if errs[0] != nil || errs[1] != nil || errs[3] != nil || !errors.Is(errs[2], sumu.ErrUnavailable) ||
			!errors.As(errs[2], &api) || api.ErrorCode() != "InternalFailure" {
			t.Errorf("got %v", errs)
		}
		var sizes []int
		for _, in := range s.inputs {
			sizes = append(sizes, len(in.Records))
		}
		if want := []int{4, 2, 2}; !slices.Equal(sizes, want) {
			t.Errorf("records of the requests: got %v, want %v", sizes, want)
		}
		if want := []string{"n0", "n3", "n1"}; !slices.Equal(s.ids(t), want) {
			t.Errorf("written: %v", s.ids(t))
		}
	})
}

// A reply that does not fit the request proves nothing.
func TestShortReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stream{short: true}
		errs := newClient(t, s).SendBatch(t.Context(), toUser("n0", "a"), toUser("n1", "a"))
		if err := errors.Join(errs...); err != nil || len(s.inputs) != 2 || len(s.records) != 4 {
			t.Errorf("got %v, %d requests, %d records", err, len(s.inputs), len(s.records))
		}
	})
}

func TestErrors(t *testing.T) {
	for want, err := range map[error]error{
		sumu.ErrThrottled: &types.ProvisionedThroughputExceededException{},
		sumu.ErrInvalid:   &types.ResourceNotFoundException{},
		sumu.ErrForbidden: &types.AccessDeniedException{},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := newClient(t, &stream{err: err}).Send(t.Context(), toUser("n1", "ann"))
			if !errors.Is(got, want) || !errors.Is(got, err) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	if err := newClient(t, new(stream)).Send(t.Context(), sumu.Notification{ID: "n1"}); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("an empty one: got %v", err)
	}
}

func TestNewReportsAll(t *testing.T) {
	_, err := kinesisnotify.New(nil, "", func(o *kinesisnotify.Options) { o.MaxBytes, o.Tries, o.Backoff = 1, 99, 1 })
	for _, want := range []string{"client", "name", "MaxBytes", "Tries", "Backoff"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}
