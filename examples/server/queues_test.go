package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// newQueue makes a queue of the backend's.
func (f *fleet) newQueue() (url string) {
	f.t.Helper()
	name := "server-" + sumu.NewID()
	q, err := f.queues.CreateQueue(f.t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		f.t.Fatal(err)
	}
	return *q.QueueUrl
}

// receive waits until a message of a queue has what is looked for.
func (f *fleet) receive(what, queueURL string, is func(body string, attributes map[string]string) bool) {
	f.t.Helper()
	f.until(what, func() bool {
		out, err := f.queues.ReceiveMessage(f.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &queueURL, MessageAttributeNames: []string{"All"}, WaitTimeSeconds: 1,
		})
		if err != nil {
			f.t.Fatal(err)
		}
		for _, m := range out.Messages {
			attributes := make(map[string]string)
			for name, v := range m.MessageAttributes {
				if v.StringValue != nil {
					attributes[name] = *v.StringValue
				}
			}
			if is(*m.Body, attributes) {
				return true
			}
		}
		return false
	})
}

// TestBackendQueues: with queues of its own a backend is told who comes and
// goes, and what clients send to it; clients are not told of each other.
func TestBackendQueues(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	events, messages := f.newQueue(), f.newQueue()
	f.vars = append(f.vars, "SUMU_PRESENCE=queue", "SUMU_PRESENCE_QUEUE_URL="+events, "SUMU_MESSAGES_QUEUE_URL="+messages)
	a := f.start("a")
	bob := listen(f.join(a, "bob"))
	ann := f.join(a, "ann")
	happened := func(status sumu.Status) func(string, map[string]string) bool {
		return func(body string, _ map[string]string) bool {
			var e sumu.PresenceEvent
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			return e.UserID == "ann" && e.Status == status
		}
	}
	f.receive("the backend is told that ann comes", events, happened(sumu.Online))
	ann.Send(wstest.Text(`{"action":"send","message":{"order":7}}`))
	if answer := ann.Expect(ws.Text); !strings.Contains(answer, `"ack"`) {
		t.Errorf("ann is answered with %s", answer)
	}
	f.receive("the backend gets ann's message", messages, func(body string, attributes map[string]string) bool {
		if attributes["user_id"] != "ann" || attributes["source"] != "apigw.route.send" {
			t.Errorf("%s has %v", body, attributes)
		}
		return strings.Contains(body, `"order":7`)
	})
	_ = ann.Close()
	f.receive("the backend is told that ann goes", events, happened(sumu.Offline))
	if status := a.notify(notifySecret, `{"users":["bob"],"data":"the end"}`); status != 202 {
		t.Errorf("POST /notify: %d", status)
	}
	f.until("bob is notified", func() bool { return bob.got("the end") })
	bob.mu.Lock()
	defer bob.mu.Unlock()
	if len(bob.events) > 0 {
		t.Errorf("bob is told %v", bob.events)
	}
}
