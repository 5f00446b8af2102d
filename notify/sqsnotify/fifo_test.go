package sqsnotify_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

const fifoURL = queueURL + ".fifo"

func TestSendFIFO(t *testing.T) {
	q := new(queue)
	c := newClient(t, q, fifoURL)
	long := strings.Repeat("é", 200)
	ref := sumu.ConnectionRef{UserID: "ann", ConnectionID: "c"}
	data := json.RawMessage(`1`)
	ns := []sumu.Notification{
		toUser("n0", "ann"),
		{ID: "n1", Users: []string{"ann", "bob"}, Data: data},
		{ID: "n2", Everyone: true, Data: data},
		{ID: "n3", Connections: []sumu.ConnectionRef{ref, ref}, Data: data},
		{ID: "n4", Users: []string{"ann"}, Channels: []string{"room"}, Data: data},
		{ID: "n5", Users: []string{long}, Data: data},
		{ID: "n6", Users: []string{"ann"}, Part: "r", Attempt: 1, Data: data},
		{ID: "n7", Event: &sumu.Event{Type: "T", Payload: data}, From: "bob"},
		{ID: "n8", Event: &sumu.Event{Type: "T", Payload: data}},
	}
	if err := errors.Join(c.SendBatch(t.Context(), ns...)...); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"ann", "all", "all", "ann", "all", "sha256.", "ann", "bob", "all"} {
		e := q.sent[i]
		if got := aws.ToString(e.MessageGroupId); got != want && (want != "sha256." || !strings.HasPrefix(got, want) || len(got) > 128) {
			t.Errorf("%d: group %q, want %q", i, got, want)
		}
		if got := aws.ToString(e.MessageDeduplicationId); got != ns[i].Key() {
			t.Errorf("%d: deduplication id %q, want %q", i, got, ns[i].Key())
		}
	}
	if err := c.Requeue(t.Context(), ns[6], time.Minute); err != nil || q.sent[9].DelaySeconds != 0 {
		t.Errorf("a FIFO was asked for a delay of %d s, %v", q.sent[9].DelaySeconds, err)
	}
	byID := newClient(t, q, fifoURL, func(o *sqsnotify.Options) {
		o.Group = func(n *sumu.Notification) string { return "g " + n.ID }
	})
	if err := byID.Send(t.Context(), ns[0]); err != nil || !strings.HasPrefix(*q.sent[10].MessageGroupId, "sha256.") {
		t.Errorf("a group with a space: %q, %v", *q.sent[10].MessageGroupId, err)
	}
}

func TestRequeue(t *testing.T) {
	q := new(queue)
	c := newClient(t, q, queueURL)
	for i, tt := range []struct {
		delay time.Duration
		want  int32
	}{{0, 0}, {-time.Second, 0}, {time.Millisecond, 1}, {2 * time.Second, 2}, {2*time.Second + 1, 3}, {time.Hour, 900}, {1<<63 - 1, 900}} {
		if err := c.Requeue(t.Context(), toUser("n1", "ann"), tt.delay); err != nil {
			t.Fatal(err)
		}
		if got := q.sent[i].DelaySeconds; got != tt.want {
			t.Errorf("%v: got %d s, want %d", tt.delay, got, tt.want)
		}
	}
}
