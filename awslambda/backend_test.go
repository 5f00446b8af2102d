package awslambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/internal/leak"
)

// heard is what a backend was told.
type heard struct {
	mu       sync.Mutex
	messages []sumu.BackendMessage
	presence []sumu.PresenceEvent
}

func (h *heard) message(_ context.Context, m sumu.BackendMessage) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch string(m.Body) {
	case `"fail"`:
		return errors.New("not now")
	case `"panic"`:
		panic("boom")
	}
	h.messages = append(h.messages, m)
	return nil
}

func (h *heard) online(_ context.Context, e sumu.PresenceEvent) error {
	h.presence = append(h.presence, e)
	return nil
}

const presenceBody = `{"type":"presence","message":{"user_id":"ann","status":"ONLINE","timestamp":1575929040.5,"version":7,"id":"ann:7"}}`

// clientMessage is a message as sqsnotify.Backend sends it.
func clientMessage(id, body string) events.SQSMessage {
	text := func(kind, v string) events.SQSMessageAttribute {
		return events.SQSMessageAttribute{DataType: kind, StringValue: &v}
	}
	return events.SQSMessage{
		MessageId: id, Body: body, EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:123456789012:output",
		MessageAttributes: map[string]events.SQSMessageAttribute{
			"user_id": text("String", "ann"), "connection_id": text("String", "c1="),
			"timestamp": text("Number", "1575929040500"), "source": text("String", "apigw.route.send"),
			"blob": {DataType: "Binary", BinaryValue: []byte("x")},
		},
	}
}

func TestBackendReadsMessages(t *testing.T) {
	want := sumu.BackendMessage{
		ID: "m1", UserID: "ann", ConnectionID: "c1=", Source: "apigw.route.send",
		Timestamp: time.UnixMilli(1575929040500), Body: json.RawMessage(`{"text":"hi"}`),
	}
	attributes := map[string]any{
		"user_id":       map[string]string{"Type": "String", "Value": "ann"},
		"connection_id": map[string]string{"Type": "String", "Value": "c1="},
		"timestamp":     map[string]string{"Type": "Number", "Value": "1575929040500"},
		"source":        map[string]string{"Type": "String", "Value": "apigw.route.send"},
		"blob":          map[string]string{"Type": "Binary", "Value": "eA=="},
	}
	envelope := jsonText(map[string]any{
		"Type": "Notification", "MessageId": "m1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:output",
		"Timestamp": "2026-11-20T10:00:00.000Z", "Message": string(want.Body), "MessageAttributes": attributes,
	})
	sns := golden(t, "sns-event.json", `"Hello from SNS!"`, jsonText(string(want.Body)),
		"95df01b4-ee98-5cb9-9903-4c221d41eb5e", "m1", `"MessageAttributes": {`, `"MessageAttributes": `+strings.TrimSuffix(jsonText(attributes), "}")+",")
	for name, event := range map[string][]byte{
		"sqs":      []byte(jsonText(events.SQSEvent{Records: []events.SQSMessage{clientMessage("m1", string(want.Body))}})),
		"envelope": sqsEvent(envelope),
		"sns":      sns,
	} {
		t.Run(name, func(t *testing.T) {
			got := new(heard)
			h := must(awslambda.NewBackend(awslambda.BackendOptions{Message: got.message}))
			if _, err := h.Invoke(t.Context(), event); err != nil {
				t.Fatal(err)
			}
			if len(got.messages) != 1 || fmt.Sprint(got.messages[0]) != fmt.Sprint(want) {
				t.Errorf("got %+v, want %+v", got.messages, want)
			}
		})
	}
	got := new(heard)
	h := must(awslambda.NewBackend(awslambda.BackendOptions{Message: got.message}))
	var in events.SNSEvent
	if err := json.Unmarshal(sns, &in); err != nil {
		t.Fatal(err)
	}
	if err := h.SNS(t.Context(), in); err != nil || len(got.messages) != 1 || fmt.Sprint(got.messages[0]) != fmt.Sprint(want) {
		t.Errorf("the typed method: %+v, %v", got.messages, err)
	}
}

func TestBackendReadsPresence(t *testing.T) {
	got := new(heard)
	event := clientMessage("m1", presenceBody)
	source := "lambda.presence.watchdog"
	event.MessageAttributes["source"] = events.SQSMessageAttribute{DataType: "String", StringValue: &source}
	// The body alone makes no presence event: a client can send any.
	forged := clientMessage("m2", presenceBody)
	in := events.SQSEvent{Records: []events.SQSMessage{event, forged}}
	h := must(awslambda.NewBackend(awslambda.BackendOptions{Message: got.message, Presence: got.online}))
	if out, err := h.SQS(t.Context(), in); err != nil || len(out.BatchItemFailures) != 0 {
		t.Fatal(out, err)
	}
	want := sumu.PresenceEvent{UserID: "ann", Status: sumu.Online, At: time.UnixMilli(1575929040500), Version: 7}
	if len(got.presence) != 1 || got.presence[0] != want || len(got.messages) != 1 || got.messages[0].ID != "m2" {
		t.Errorf("got %+v and %+v", got.presence, got.messages)
	}
	// What nobody asked for is done.
	for _, o := range []awslambda.BackendOptions{{Message: new(heard).message}, {Presence: new(heard).online}} {
		if out, err := must(awslambda.NewBackend(o)).SQS(t.Context(), in); err != nil || len(out.BatchItemFailures) != 0 {
			t.Error(out, err)
		}
	}
	event.Body = `{}`
	out, err := h.SQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{event}})
	if err != nil || len(out.BatchItemFailures) != 1 {
		t.Errorf("a presence event that is none: %+v, %v", out, err)
	}
}

func TestBackendFailsRecordByRecord(t *testing.T) {
	leak.Check(t)
	log, text := logged()
	got := new(heard)
	noUser := clientMessage("m5", `"x"`)
	delete(noUser.MessageAttributes, "user_id")
	badTime, soon := clientMessage("m6", `"x"`), "soon"
	badTime.MessageAttributes["timestamp"] = events.SQSMessageAttribute{DataType: "Number", StringValue: &soon}
	event := []byte(jsonText(events.SQSEvent{Records: []events.SQSMessage{
		clientMessage("m1", `"fail"`), clientMessage("m2", `"panic"`), clientMessage("m3", `"top secret`), clientMessage("m4", `"fine"`), noUser, badTime,
	}}))
	for _, n := range []int{0, 4} {
		h := must(awslambda.NewBackend(awslambda.BackendOptions{Message: got.message, Concurrency: n, Logger: log}))
		wantFailures(t, call[failures](t, h, event), "m1", "m2", "m3", "m5", "m6")
	}
	if len(got.messages) != 2 || got.messages[0].ID != "m4" {
		t.Errorf("got %+v", got.messages)
	}
	if s := text.String(); !strings.Contains(s, "not now") || !strings.Contains(s, "panic of type string") || strings.Contains(s, "secret") {
		t.Errorf("log is %s", s)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	h := must(awslambda.NewBackend(awslambda.BackendOptions{Message: got.message}))
	if out, err := h.Invoke(ended, event); err != nil || strings.Count(string(out), "itemIdentifier") != 6 {
		t.Errorf("once its time has passed: %s, %v", out, err)
	}
}

func TestBackendKeepsTheOrderOfAGroup(t *testing.T) {
	got := new(heard)
	var in events.SQSEvent
	for i, body := range []string{`"1"`, `"2"`, `"fail"`, `"3"`, `"4"`} {
		m := clientMessage(fmt.Sprintf("m%d", i+1), body)
		m.EventSourceARN += ".fifo"
		m.Attributes = map[string]string{"MessageGroupId": []string{"a", "b", "a", "a", "b"}[i]}
		in.Records = append(in.Records, m)
	}
	h := must(awslambda.NewBackend(awslambda.BackendOptions{Message: got.message, Concurrency: 2}))
	out, err := h.SQS(t.Context(), in)
	if err != nil || len(out.BatchItemFailures) != 2 || out.BatchItemFailures[0].ItemIdentifier != "m3" || out.BatchItemFailures[1].ItemIdentifier != "m4" {
		t.Errorf("got %+v, %v", out, err)
	}
	var ids []string
	for _, m := range got.messages {
		ids = append(ids, m.ID)
	}
	if b := slices.Index(ids, "m5"); len(ids) != 3 || b < slices.Index(ids, "m2") {
		t.Errorf("handled %q", ids)
	}
	in.Records[0].MessageId = ""
	if out, err := h.SQS(t.Context(), in); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("a message without an id: %+v, %v", out, err)
	}
}

func TestBackendOnATopic(t *testing.T) {
	got := new(heard)
	var sunk []string
	o := awslambda.BackendOptions{Message: got.message}
	without := must(awslambda.NewBackend(o))
	o.Reject = func(_ context.Context, body []byte, _ error) error {
		sunk = append(sunk, string(body))
		return nil
	}
	with := must(awslambda.NewBackend(o))
	foreign := golden(t, "sns-event.json") // It has no user_id.
	if _, err := without.Invoke(t.Context(), foreign); !errors.Is(err, sumu.ErrInvalid) || strings.Contains(err.Error(), "Hello") {
		t.Errorf("without a sink: %v", err)
	}
	if _, err := with.Invoke(t.Context(), foreign); err != nil || len(sunk) != 1 || sunk[0] != "Hello from SNS!" {
		t.Errorf("with a sink: %v, %q", err, sunk)
	}
	failing := golden(t, "sns-event.json", `"Hello from SNS!"`, `"\"fail\""`, `"Test": {`, `"user_id": {`)
	if _, err := with.Invoke(t.Context(), failing); err == nil || len(sunk) != 1 {
		t.Errorf("a message that fails: %v, %q; Lambda must try again", err, sunk)
	}
}

func TestNewBackendRefuses(t *testing.T) {
	_, err := awslambda.NewBackend(awslambda.BackendOptions{Concurrency: -1})
	if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Message") || !strings.Contains(err.Error(), "Concurrency") {
		t.Errorf("got %v", err)
	}
}
