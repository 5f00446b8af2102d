package serverless_test

import (
	"strings"
	"testing"
)

// The five binaries, with DynamoDB, SQS and SNS between them: from a token to
// a frame, and who comes and goes.
func TestStack(t *testing.T) {
	s := newStack(t)
	who := map[string]map[string]any{}
	for _, user := range []string{"ann", "bob"} {
		who[user] = s.authorize(user)
		if out := s.socket("CONNECT", user, "", who[user]); !strings.Contains(out, `"statusCode":200`) {
			t.Fatalf("$connect of %s: %s", user, out)
		}
	}
	says := func(user, frame string) {
		t.Helper()
		if out := s.socket("MESSAGE", user, frame, who[user]); !strings.Contains(out, `\"type\":\"ack\"`) {
			t.Fatalf("%s: %s", frame, out)
		}
	}
	got := func(user, want string, times int) {
		t.Helper()
		if all := s.posted.of("c-" + user); strings.Count(all, want) != times {
			t.Errorf("%s got %q; want %q %d times", user, all, want, times)
		}
	}

	s.changed("INSERT", "ann")
	s.changed("INSERT", "ann") // A replay.
	s.changed("INSERT", "bob")
	s.drain("output", s.backend, 2)
	s.drain("requests", s.pusher, 2)
	got("ann", `"user_id":"bob","status":"ONLINE"`, 1)
	got("bob", `"user_id":"ann","status":"ONLINE"`, 1)
	got("ann", `"user_id":"ann"`, 0)

	says("ann", `{"action":"send","ref":"1","message":{"to":"others","text":"by queue"}}`)
	says("ann", `{"action":"publish","message":{"to":["bob"],"text":"by topic"}}`)
	says("ann", `{"action":"send","message":{"to":"me","text":"an echo"}}`)
	says("bob", `{"action":"send","message":{"type":"users"}}`)
	s.drain("output", s.backend, 4)
	s.drain("requests", s.pusher, 4)
	got("bob", `{"from":"ann","text":"by queue","type":"message"}`, 1)
	got("bob", `{"from":"ann","text":"by topic","type":"message"}`, 1)
	got("ann", `{"from":"ann","text":"an echo","type":"message"}`, 1)
	got("ann", `by `, 0)
	got("bob", `{"type":"users","users":["ann","bob"]}`, 1)

	if out := s.socket("DISCONNECT", "bob", "", who["bob"]); !strings.Contains(out, `"statusCode":200`) {
		t.Fatalf("$disconnect: %s", out)
	}
	s.changed("REMOVE", "bob")
	s.drain("output", s.backend, 1)
	s.drain("requests", s.pusher, 1)
	got("ann", `"user_id":"bob","status":"OFFLINE"`, 1)

	if out := ask(t, s.presence, map[string]string{"detail-type": "Scheduled Event", "source": "aws.events"}); out != "null" {
		t.Errorf("schedule: %s", out)
	}
}
