package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

func TestRoutes(t *testing.T) {
	e := start(t, config{})
	e.app.Handle("echo", func(_ context.Context, m sumu.Message) ([]byte, error) { return m.Field("message"), nil })
	e.app.Handle("who", func(_ context.Context, m sumu.Message) ([]byte, error) {
		return json.Marshal(m.Identity.UserID + " " + m.Connection.ID)
	})
	e.app.Handle("refuse", func(context.Context, sumu.Message) ([]byte, error) { return nil, sumu.ErrForbidden })
	c, row := e.dial("ann")
	c.Send(wstest.Text(`{"action":"keepalive"}`), wstest.Text(`{"action":"ping"}`))
	c.ExpectText(`{"type":"pong","statusCode":200,"connectionId":"` + row.ID + `"}`)
	c.Send(wstest.Text(`{"action":"echo","message":{"a":[1,"é"]}}`))
	c.ExpectText(`{"a":[1,"é"]}`)
	c.Send(wstest.Text(`{"action":"who"}`))
	c.ExpectText(`"ann ` + row.ID + `"`)
	c.Send(wstest.Text(`{"action":"refuse","ref":"9"}`))
	if got := c.Expect(ws.Text); !strings.HasPrefix(got, `{"type":"error","action":"refuse","ref":"9","code":"forbidden"`) {
		t.Errorf("error frame is %s", got)
	}
}

// What has no route gets API Gateway's answer, with the action and the ref that
// it had, and the socket stays.
func TestForbiddenFrame(t *testing.T) {
	forbiddenFrame(t, config{}, nil) // As API Gateway answers.
	forbiddenFrame(t, config{own: true}, map[string]string{
		`{"action":"nonesuch"}`: `,"action":"nonesuch"`, `{"action":"nonesuch","ref":"7"}`: `,"action":"nonesuch","ref":"7"`,
	})
}

// forbiddenFrame checks the answers to what has no handler; had is what they have
// beside API Gateway's members.
func forbiddenFrame(t *testing.T, config config, had map[string]string) {
	t.Helper()
	e := start(t, config)
	c, row := e.dial("ann")
	for _, body := range []string{
		`{"action":"nonesuch"}`, `{"action":"nonesuch","ref":"7"}`, `{"no":"action"}`, `{"action":7}`, `{"action":null}`, `{"action":""}`,
		`not json`, ``, `[]`, `"action"`, `{"action":"ping"`, `{"action":"ping"} x`,
	} {
		c.Send(wstest.Text(body))
		got := c.Expect(ws.Text)
		var reply struct{ Message, ConnectionID, RequestID string }
		if err := json.Unmarshal([]byte(got), &reply); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"message":"Forbidden","connectionId":%q,"requestId":%q%s}`, row.ID, reply.RequestID, had[body])
		if got != want || reply.RequestID == "" {
			t.Errorf("%s: reply is %s, want %s", body, got, want)
		}
	}
}

func TestReplyThatCannotBeSent(t *testing.T) {
	for name, reply := range map[string][]byte{
		"too large": []byte(strings.Repeat("x", sumu.MaxPayload+1)),
		"not UTF-8": []byte("\xff"),
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{})
			e.app.Handle("bad", func(context.Context, sumu.Message) ([]byte, error) { return reply, nil })
			c, _ := e.dial("ann")
			c.Send(wstest.Text(`{"action":"bad"}`))
			if got := c.Expect(ws.Text); !strings.HasPrefix(got, `{"message":"Internal server error","connectionId":`) {
				t.Errorf("reply is %.100s", got)
			}
		})
	}
}

// padded is a ping of exactly n bytes.
func padded(n int) string {
	const head, tail = `{"action":"ping","fill":"`, `"}`
	return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
}

func TestMessageSize(t *testing.T) {
	e := start(t, config{})
	c, _ := e.dial("ann")
	// As API Gateway wants it: in frames of 32 KB, with a ping between.
	text := padded(sumu.MaxPayload)
	for i := range 4 {
		f := wstest.Text(text[i*32<<10:][:32<<10])
		f.Fin = i == 3
		if i > 0 {
			f.Opcode = ws.Continuation
		}
		c.Send(f, wstest.New(ws.Ping, fmt.Sprint(i)))
		if i == 3 { // The answer to the message comes before that to the ping behind it.
			if got := c.Expect(ws.Text); !strings.Contains(got, "pong") {
				t.Errorf("reply to fragments is %s", got)
			}
		}
		if got := c.Expect(ws.Pong); got != fmt.Sprint(i) {
			t.Errorf("pong is %q", got)
		}
	}
}

// A frame of more than 32 KB is refused by API Gateway, and here where that is
// asked for: browsers send messages of up to 64 KB as one.
func TestMaxFrame(t *testing.T) {
	for _, tt := range []struct{ option, most int }{{0, sumu.MaxPayload}, {32 << 10, 32 << 10}, {100 << 10, 100 << 10}, {-1, sumu.MaxPayload}} {
		t.Run(fmt.Sprint(tt.option), func(t *testing.T) {
			e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.MaxFrame = tt.option }}})
			c, row := e.dial("ann")
			c.Send(wstest.Text(padded(tt.most)))
			c.Expect(ws.Text)
			c.Send(wstest.Text(padded(tt.most + 1)))
			c.ExpectClose(1009)
			_ = c.Close()
			e.expectEnd(row, 1009)
		})
	}
}

// A long message goes out in frames of at most FrameSize, whatever it comes
// from, and between them comes nothing else.
func TestFrameSize(t *testing.T) {
	text := strings.Repeat("€", sumu.MaxPayload/3)
	for option, frames := range map[int]int{0: 1, 32 << 10: 5, 1 << 10: 129, sumu.MaxPayload: 1, -1: 1} {
		t.Run(fmt.Sprint(option), func(t *testing.T) {
			e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.FrameSize = option }}})
			e.app.Handle("long", func(context.Context, sumu.Message) ([]byte, error) { return []byte(text), nil })
			c, row := e.dial("ann")
			if err := e.post(row, text); err != nil {
				t.Fatal(err)
			}
			got := c.ExpectFrames(ws.Text)
			if len(got) != frames || strings.Join(got, "") != text {
				t.Errorf("the post came in %d frames, want %d, with its text unchanged", len(got), frames)
			}
			c.Send(wstest.Text(`{"action":"long"}`), wstest.New(ws.Ping, "p"))
			if got := c.ExpectFrames(ws.Text); len(got) != frames || strings.Join(got, "") != text {
				t.Errorf("the reply came in %d frames, want %d, with its text unchanged", len(got), frames)
			}
			c.Expect(ws.Pong)
		})
	}
}

// Two gateways with other frame sizes may post one payload.
func TestPayloadOfTwoGateways(t *testing.T) {
	whole := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.FrameSize = -1 }}})
	parts := start(t, config{})
	p, err := sumu.NewPayload([]byte(strings.Repeat("x", 40<<10)))
	if err != nil {
		t.Fatal(err)
	}
	for e, frames := range map[*env]int{whole: 1, parts: 2} {
		c, row := e.dial("ann")
		if err := e.gw.Post(t.Context(), row, p); err != nil {
			t.Fatal(err)
		}
		if got := c.ExpectFrames(ws.Text); len(got) != frames {
			t.Errorf("%d frames, want %d", len(got), frames)
		}
	}
}

// What is wrong closes the socket with the right code, also while the client
// is still sending, and what was pending before comes first.
func TestViolations(t *testing.T) {
	half := wstest.Text("a")
	half.Fin = false
	unmasked := wstest.Text("a")
	unmasked.Masked = false
	reserved := wstest.Text("a")
	reserved.RSV = 2
	openPing := wstest.New(ws.Ping, "")
	openPing.Fin = false
	var overlong []wstest.Frame
	for i := range 5 {
		f := wstest.New(ws.Continuation, strings.Repeat("x", 32<<10))
		f.Fin = false
		if i == 0 {
			f.Opcode = ws.Text
		}
		overlong = append(overlong, f)
	}
	tests := []struct {
		name   string
		frames []wstest.Frame
		code   int
	}{
		{"129 KB", []wstest.Frame{wstest.Text(padded(129 << 10))}, 1009},
		{"one byte too many", []wstest.Frame{wstest.Text(padded(sumu.MaxPayload + 1))}, 1009},
		{"binary", []wstest.Frame{wstest.New(ws.Binary, `{"action":"ping"}`)}, 1003},
		{"bad UTF-8", []wstest.Frame{wstest.Text("{\"action\":\"\xff\"}")}, 1007},
		{"not masked", []wstest.Frame{unmasked}, 1002},
		{"reserved bit", []wstest.Frame{reserved}, 1002},
		{"unknown opcode", []wstest.Frame{wstest.New(3, "")}, 1002},
		{"fragmented ping", []wstest.Frame{openPing}, 1002},
		{"continuation of nothing", []wstest.Frame{wstest.New(ws.Continuation, "x")}, 1002},
		{"half a character at the end of fragments", []wstest.Frame{half, wstest.New(ws.Continuation, "\xe2\x82")}, 1007},
		{"a frame over 32 KB", []wstest.Frame{wstest.Text(padded(32<<10 + 1))}, 1009},
		{"fragments over 128 KB", overlong, 1009},
		{"long ping", []wstest.Frame{wstest.New(ws.Ping, strings.Repeat("x", 126))}, 1002},
		{"message within a message", []wstest.Frame{half, wstest.Text("b")}, 1002},
		{"close code 999", []wstest.Frame{wstest.Close(999, "")}, 1002},
		{"close code 1015", []wstest.Frame{wstest.Close(1015, "")}, 1002},
		{"close code 2999", []wstest.Frame{wstest.Close(2999, "")}, 1002},
		{"close code 5000", []wstest.Frame{wstest.Close(5000, "")}, 1002},
		{"close code 1005", []wstest.Frame{wstest.Close(1005, "")}, 1002},
		{"half a close code", []wstest.Frame{wstest.New(ws.Close, "x")}, 1002},
		{"bad close reason", []wstest.Frame{wstest.Close(1000, "\xff")}, 1007},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, config{})
			bob, _ := e.dial("bob")
			c, row := e.dial("ann")
			if err := e.post(row, "pending"); err != nil {
				t.Fatal(err)
			}
			// More than the server reads: it must not be reset for it.
			c.Send(append(tt.frames, wstest.Text(padded(sumu.MaxPayload)))...)
			c.ExpectText("pending")
			c.ExpectClose(tt.code)
			if err := e.post(row, "x"); !errors.Is(err, sumu.ErrGone) {
				t.Errorf("post after it: %v, want ErrGone", err)
			}
			_ = c.Close()
			e.expectEnd(row, tt.code)
			alive(t, bob)
		})
	}
}

func TestPost(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	long := strings.Repeat("x", sumu.MaxPayload)
	if err := e.post(row, long); err != nil {
		t.Fatal(err)
	}
	c.ExpectText(long)
	if err := e.post(row, "\xff"); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("post that is not UTF-8: %v, want ErrInvalid", err)
	}
	if err := e.post(sumu.Connection{ID: "L0SM9cOFvHcCIhw="}, "x"); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("post to nobody: %v, want ErrGone", err)
	}
}

// A handler posts to its own connection and to another one.
func TestPostFromAHandler(t *testing.T) {
	e := start(t, config{})
	bob, bobRow := e.dial("bob")
	e.app.Handle("tell", func(_ context.Context, m sumu.Message) ([]byte, error) {
		return []byte("reply"), errors.Join(e.post(m.Connection, "own"), e.post(bobRow, "other"))
	})
	ann, _ := e.dial("ann")
	ann.Send(wstest.Text(`{"action":"tell"}`))
	ann.ExpectText("own")
	ann.ExpectText("reply")
	bob.ExpectText("other")
}
