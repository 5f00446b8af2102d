package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// cutOff is a fleet whose ways to the tables and to the queues can be cut, and
// whose queue gives a message up after five receives.
type cutOff struct {
	*fleet
	store, queue *components.Road
	deadURL      string

	mu   sync.Mutex
	got  []map[string]int // by socket: how often each label came
	want []string         // labels that were accepted
	sent int
}

func newCutOff(t *testing.T) *cutOff {
	f := newFleet(t)
	network := components.NewNetwork(t)
	road := func(variable string) *components.Road {
		for _, v := range f.vars {
			if name, value, _ := strings.Cut(v, "="); name == variable {
				u, err := url.Parse(value)
				if err != nil {
					t.Fatal(err)
				}
				return network.Road(u.Host)
			}
		}
		t.Fatalf("%s is not set", variable)
		return nil
	}
	o := &cutOff{fleet: f, store: road("AWS_ENDPOINT_URL_DYNAMODB"), queue: road("AWS_ENDPOINT_URL_SQS")}
	store, queue := "http://"+o.store.Address, "http://"+o.queue.Address
	f.vars = append(f.vars, // The last one counts.
		"AWS_ENDPOINT_URL_DYNAMODB="+store, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS="+store, "AWS_ENDPOINT_URL_SQS="+queue)
	o.deadURL = f.newQueue()
	dead, err := f.queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &o.deadURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.queues.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &f.queueURL, Attributes: map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"5"}`, dead.Attributes["QueueArn"]),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// sockets connects so many clients to a node, and counts what they get.
func (o *cutOff) sockets(p *process, n int) {
	o.t.Helper()
	for i := range n {
		conn := o.join(p, fmt.Sprint("user-", i))
		if err := conn.SetDeadline(time.Time{}); err != nil { // An outage is longer than wstest waits.
			o.t.Fatal(err)
		}
		got := make(map[string]int)
		o.got = append(o.got, got)
		go func() {
			for {
				frame, err := conn.Next()
				if err != nil {
					return
				}
				switch frame.Opcode {
				case ws.Ping:
					_, _ = conn.Write(wstest.New(ws.Pong, string(frame.Payload)).Append(nil)) // Or Next fails.
				case ws.Text:
					o.mu.Lock()
					got[string(frame.Payload)]++
					o.mu.Unlock()
				}
			}
		}()
	}
}

// post posts notifications to everyone, to the nodes in turn, and returns the
// statuses. Those with 202 are to be delivered.
func (o *cutOff) post(n int, nodes ...*process) map[int]int {
	o.t.Helper()
	statuses := make(map[int]int)
	for i := range n {
		label := fmt.Sprintf(`"label-%d"`, o.sent)
		o.sent++
		status := nodes[i%len(nodes)].notify(notifySecret, `{"everyone":true,"data":`+label+`}`)
		statuses[status]++
		if status == http.StatusAccepted {
			o.want = append(o.want, label)
		}
	}
	return statuses
}

// accepted fails the test unless all of n posts are.
func (o *cutOff) accepted(n int, nodes ...*process) {
	o.t.Helper()
	if got := o.post(n, nodes...); got[http.StatusAccepted] != n {
		o.t.Fatalf("POST /notify: %v", got)
	}
}

// missing is how many deliveries are still to come.
func (o *cutOff) missing() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, got := range o.got {
		for _, label := range o.want {
			if got[label] == 0 {
				n++
			}
		}
	}
	return n
}

// plant puts messages into the queue that no node can ever deliver.
func (o *cutOff) plant(n int) {
	o.t.Helper()
	for i := range n {
		body := fmt.Sprintf(`{"users":["user-0"],"data":bad-%d`, i)
		if _, err := o.queues.SendMessage(o.t.Context(), &sqs.SendMessageInput{QueueUrl: &o.queueURL, MessageBody: &body}); err != nil {
			o.t.Fatal(err)
		}
	}
}

// held is how many messages a queue holds, visible or not.
func (o *cutOff) held(queueURL string) (n int) {
	o.t.Helper()
	out, err := o.queues.GetQueueAttributes(o.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &queueURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, name := range []string{"", "NotVisible", "Delayed"} {
		var some int
		if _, err := fmt.Sscan(out.Attributes["ApproximateNumberOfMessages"+name], &some); err != nil {
			o.t.Fatalf("%s: %v", name, err)
		}
		n += some
	}
	return n
}

// restart kills a node, as the machine's end does, and starts it again. It is
// not waited for: without its tables it is not ready.
func (o *cutOff) restart(p *process) {
	o.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		o.t.Fatal(err)
	}
	<-p.ended
	o.run(p)
}

// lasts waits for a part of an outage. Nothing tells when it is over.
func lasts(d time.Duration) { <-time.After(d) }

// settle waits until all that was accepted is delivered, exactly the bad ones
// are dead letters, and nothing is left.
func (o *cutOff) settle(patience time.Duration, bad int) {
	o.t.Helper()
	began := time.Now()
	o.within(patience, "all is delivered and the bad ones are dead", func() bool {
		return o.missing() == 0 && o.held(o.deadURL) == bad && o.held(o.queueURL) == 0
	}, func() string {
		return fmt.Sprintf("%d of %d deliveries are missing, %d messages in the queue, %d dead letters, want %d",
			o.missing(), len(o.want)*len(o.got), o.held(o.queueURL), o.held(o.deadURL), bad)
	})
	repeats := 0
	for i, got := range o.got {
		for label, n := range got {
			if !strings.HasPrefix(label, `"label-`) {
				o.t.Errorf("socket %d got %s", i, label)
			}
			repeats += n - 1
		}
	}
	for dead := 0; dead < bad; {
		out, err := o.queues.ReceiveMessage(o.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &o.deadURL, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			o.t.Fatal(err)
		}
		for _, m := range out.Messages {
			if dead++; json.Valid([]byte(*m.Body)) {
				o.t.Errorf("a dead letter is %s", *m.Body)
			}
		}
	}
	o.t.Logf("%d notifications, %d deliveries, %d repeats, %d dead letters, complete %v after the end",
		len(o.want), len(o.want)*len(o.got), repeats, bad, time.Since(began).Round(time.Millisecond))
}
