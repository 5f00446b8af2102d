// Package snippets is what clients send that were written for the original
// stacks, as their code has it: for the tests of every server of ours that a
// newcomer runs.
package snippets

import (
	"fmt"
	"strings"
)

// Snippet is a frame and how the answer to it begins. Event, if any, is what
// comes of it besides, before or after the answer.
type Snippet struct{ Frame, Answer, Event string }

// All are sent by one client, in this order.
var All = []Snippet{
	{`{"action":"ping"}`, `{"type":"pong","statusCode":200,"connectionId":`, ""},
	{`{"action":"publish","message":{"text":"Hello"}}`, `{"type":"ack","action":"publish",`, ""},
	{`{"action":"publish","message":"Hello"}`, `{"type":"ack","action":"publish",`, ""},
	{`{"action":"send","message":{"text":"Hello"}}`, `{"type":"ack","action":"send",`, ""},
	{`{"action":"send","message":"Hello"}`, `{"type":"ack","action":"send",`, ""},
	{`{"action":"joinchannel","channel":"friends-channel"}`, `{"channel":"friends-channel","connectionId":`, ""},
	{
		`{"action":"sendmessage","channel":"friends-channel","message":"{\"name\":\"ann\",\"text\":\"Hello\"}"}`,
		`{"type":"ack","action":"sendmessage",`, "",
	},
	{`{"action":"sendmessage","message":{"text":"Hello"}}`, `{"type":"ack","action":"sendmessage",`, ""},
	{
		`{"action":"subscribe","subscriptions":[{"event_type":"NESClick","filter_field":"color","filter_expr":"*","desired_fields":null}]}`,
		`{"type":"ack","action":"subscribe",`, "",
	},
	{
		`{"action":"submitIotEvent","event":{"MessageType":"NESClick","Message":{"color":"blue","position":{"x":3,"y":4}}}}`,
		`{"type":"ack","action":"submitIotEvent",`,
		`{"message_type":"NESClick","payload":"{\"color\":\"blue\",\"position\":{\"x\":3,\"y\":4}}"}`,
	},
	{
		`{"action":"unsubscribe","subscriptions":[{"event_type":"NESClick","filter_field":"color","filter_expr":"*","desired_fields":null}]}`,
		`{"type":"ack","action":"unsubscribe",`, "",
	},
	{`{"action":"leavechannel","channel":"friends-channel"}`, `{"channel":"friends-channel","connectionId":`, ""},
}

// Run sends all of them and reads what comes back with next, which returns a
// frame. What is not asked for, such as presence, is passed over.
func Run(send func(frame string), next func() (frame string, err error)) error {
	var seen []string
	wait := func(want string) error {
		for i := 0; ; i++ {
			if i == len(seen) {
				frame, err := next()
				if err != nil {
					return err
				}
				seen = append(seen, frame)
			}
			if strings.HasPrefix(seen[i], want) {
				seen[i] = ""
				return nil
			}
			if strings.HasPrefix(seen[i], `{"type":"error"`) || strings.Contains(seen[i], `"Forbidden"`) {
				return fmt.Errorf("it is answered %s", seen[i])
			}
		}
	}
	for _, s := range All {
		send(s.Frame)
		for _, want := range []string{s.Answer, s.Event} {
			if want == "" {
				continue
			}
			if err := wait(want); err != nil {
				return fmt.Errorf("%s: %w; want %s", s.Frame, err, want)
			}
		}
	}
	return nil
}
