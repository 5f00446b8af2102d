package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/ws/wstest"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// The Architect sandbox runs the websocket function as Lambda does. It has no
// authorizer: $connect verifies the token itself, and keeps who a connection is.
func TestArchitectSandbox(t *testing.T) {
	s := newStage(t, func(authorizer, websocket components.Function) components.API {
		return components.ArchitectSandbox(t, components.Function{Bootstrap: websocket.Bootstrap, Env: authorizer.Env})
	})
	s.play(t, "GoneException", false)
}

// serverless-offline asks the authorizer function first, and its 410 has no
// type: gone is told by the status alone.
func TestServerlessOffline(t *testing.T) {
	s := newStage(t, func(authorizer, websocket components.Function) components.API {
		return components.ServerlessOffline(t, authorizer, websocket)
	})
	s.play(t, "", true)
}

// play is the whole way at an emulator: clients come and are refused, say
// something, get each notification once, and go.
func (s *stage) play(t *testing.T, goneKind string, replies bool) {
	start := time.Now()
	for query, want := range map[string]int{
		"":                        401,
		"?authorization=nonsense": 401,
		"?authorization=" + s.token(t, "eve", "bank"): 403,
	} {
		if _, got := s.dial(t, query, ""); got != want {
			t.Errorf("a client with %.20q: %d, want %d", query, got, want)
		}
	}
	if rows := s.rows(t); len(rows) > 0 {
		t.Errorf("refused clients left rows: %v", rows)
	}
	for i := range 12 {
		s.enter(t, fmt.Sprint("user", i%6))
	}
	if got, want := s.rows(t), ids(s.sockets); !slices.Equal(got, want) {
		t.Fatalf("rows are %v, want %v", got, want)
	}
	s.says(t, replies)

	client, err := sqsnotify.New(s.sqs, s.queueURL)
	if err != nil {
		t.Fatal(err)
	}
	want := make(expectations)
	for i := range 12 {
		s.send(t, client, i, want)
	}
	tune := func(o *pusher.Options, _ *pusher.WorkerOptions, _ *sqsnotify.PollOptions) { o.PruneAge = -1 }
	ps := []*process{s.start(t, -1, tune), s.start(t, -1, tune)}
	eventually(t, "all is counted and removed", func() bool { return want.counted(ps...) && s.empty(t, s.queueURL) })
	fence(t, s.sockets)
	total := 0
	for _, c := range s.sockets {
		expected := make(map[string]int)
		for id, targets := range want {
			if targets[c] {
				expected[id] = 1
				total++
			}
		}
		if got := c.counts(); !maps.Equal(got, expected) {
			t.Errorf("a socket of %s: got %v, want %v", c.row.UserID, got, expected)
		}
	}
	for id, targets := range want {
		if r := sum(id, ps...); r.Targets != len(targets) || r.Delivered != len(targets) {
			t.Errorf("%s: %+v, want %d targets, all delivered", id, r, len(targets))
		}
	}

	lost, live := s.sockets[:4], s.sockets[4:]
	s.leave(t, lost)
	if status, kind := s.answer(t, lost[0].row.ID); status != 410 || kind != goneKind {
		t.Errorf("a closed socket: %d %q, want 410 %q", status, kind, goneKind)
	}
	n, err := notify.ToEveryone(labelled{"after"})
	if err != nil {
		t.Fatal(err)
	}
	n.ID = "after"
	if _, err := notify.Send(t.Context(), client, n); err != nil {
		t.Fatal(err)
	}
	eventually(t, "who is gone is found", func() bool {
		r := sum("after", ps...)
		return r.Delivered+r.Gone+r.Failed >= len(s.sockets) && s.empty(t, s.queueURL)
	})
	if r := sum("after", ps...); r.Targets != len(s.sockets) || r.Gone != len(lost) || r.Delivered != len(live) {
		t.Errorf("%+v, want %d gone and %d delivered", r, len(lost), len(live))
	}
	if got, want := s.rows(t), ids(live); !slices.Equal(got, want) {
		t.Errorf("rows are %v, want those of the %d live sockets", got, len(want))
	}
	fence(t, live)
	posts := 0
	for _, p := range ps {
		p.end(t)
		posts += p.posts()
	}
	for _, c := range live {
		if got := c.count("after"); got != 1 {
			t.Errorf("a live socket got it %d times", got)
		}
	}
	if posts != total+len(live) {
		t.Errorf("%d posts, want %d", posts, total+len(live))
	}
	checkNoneDead(t, s.world, ps...)
	for _, c := range live {
		c.close()
	}
	eventually(t, "$disconnect removes all rows", func() bool { return len(s.rows(t)) == 0 })
	t.Logf("%d sockets, %d notifications, %d posts, %d gone and pruned, %v",
		len(s.sockets), len(want)+1, posts, len(lost), time.Since(start).Round(time.Millisecond))
}

// says has a client send something, which goes to the queue with who it is.
func (s *stage) says(t *testing.T, replies bool) {
	t.Helper()
	c := s.sockets[0]
	if _, err := c.conn.Write(wstest.Text(`{"action":"send","ref":"1","message":{"text":"hello"}}`).Append(nil)); err != nil {
		t.Fatal(err)
	}
	out, err := s.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &s.output, WaitTimeSeconds: 15, MessageAttributeNames: []string{"All"},
	})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("%d messages of a client, %v", len(out.Messages), err)
	}
	m := out.Messages[0]
	got := map[string]string{"body": *m.Body}
	for name, a := range m.MessageAttributes {
		got[name] = *a.StringValue
	}
	delete(got, "timestamp")
	want := map[string]string{
		"body": `{"text":"hello"}`, "user_id": c.row.UserID, "connection_id": c.row.ID, "source": "apigw.route.send",
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("a client's message has %s %q, want %q", name, got[name], v)
		}
	}
	if !replies {
		return
	}
	ack := func() string {
		for label := range c.counts() {
			if text, ok := strings.CutPrefix(label, "malformed: "); ok {
				return text
			}
		}
		return ""
	}
	eventually(t, "the client has a reply", func() bool { return ack() != "" })
	var reply struct{ Type, Ref string }
	if err := json.Unmarshal([]byte(ack()), &reply); err != nil || reply.Type != "ack" || reply.Ref != "1" {
		t.Errorf("the reply is %q", ack())
	}
	c.mu.Lock()
	clear(c.got)
	c.mu.Unlock()
}
