package serverless_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/internal/snippets"
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

// What clients of the original stacks send works as it is.
func TestSnippets(t *testing.T) {
	s := newStack(t, "SUMU_OPEN=true", "SUMU_DEFAULT_CHANNEL=default")
	ann := s.authorize("ann")
	if out := s.socket("CONNECT", "ann", "", ann); !strings.Contains(out, `"statusCode":200`) {
		t.Fatalf("$connect: %s", out)
	}
	var frames []string
	err := snippets.Run(func(frame string) {
		var answer struct{ Body string }
		if err := json.Unmarshal([]byte(s.socket("MESSAGE", "ann", frame, ann)), &answer); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, answer.Body)
		if strings.Contains(frame, "submitIotEvent") {
			s.drain("requests", s.pusher, 3) // With the two messages to channels before it.
			frames = append(frames, strings.Split(s.posted.of("c-ann"), "\n")...)
		}
	}, func() (string, error) {
		if len(frames) == 0 {
			return "", errors.New("nothing comes")
		}
		next := frames[0]
		frames = frames[1:]
		return next, nil
	})
	if err != nil {
		t.Error(err)
	}
}
