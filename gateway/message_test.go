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

// What has no route gets exactly API Gateway's answer, and the socket stays.
func TestForbiddenFrame(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	for _, body := range []string{
		`{"action":"nonesuch"}`, `{"no":"action"}`, `{"action":7}`, `{"action":null}`, `{"action":""}`,
		`not json`, ``, `[]`, `"action"`, `{"action":"ping"`, `{"action":"ping"} x`,
	} {
		c.Send(wstest.Text(body))
		got := c.Expect(ws.Text)
		var reply struct{ Message, ConnectionID, RequestID string }
		if err := json.Unmarshal([]byte(got), &reply); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"message":"Forbidden","connectionId":%q,"requestId":%q}`, row.ID, reply.RequestID)
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
	c.Send(wstest.Text(padded(sumu.MaxPayload)))
	if got := c.Expect(ws.Text); !strings.Contains(got, "pong") {
		t.Errorf("reply to 128 KB is %s", got)
	}
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

func TestMaxFrame(t *testing.T) {
	e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.MaxFrame = 32 << 10 }}})
	c, row := e.dial("ann")
	c.Send(wstest.Text(padded(32 << 10)))
	c.Expect(ws.Text)
	c.Send(wstest.Text(padded(32<<10 + 1)))
	c.ExpectClose(1009)
	_ = c.Close()
	e.expectEnd(row, 1009)
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
		{"long ping", []wstest.Frame{wstest.New(ws.Ping, strings.Repeat("x", 126))}, 1002},
		{"message within a message", []wstest.Frame{half, wstest.Text("b")}, 1002},
		{"close code 1005", []wstest.Frame{wstest.Close(1005, "")}, 1002},
		{"half a close code", []wstest.Frame{wstest.New(ws.Close, "x")}, 1002},
		{"bad close reason", []wstest.Frame{wstest.Close(1000, "\xff")}, 1007},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, config{})
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
