package channels

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// client is a connected client.
type client struct {
	t      *testing.T
	user   string
	id     string // of its connection
	frames chan string
	send   func(frame string)
	end    func() // closes the connection
}

// connect connects a user, and learns the connection's id.
func (w *world) connect(t *testing.T, user string) *client {
	t.Helper()
	c, status := w.via.dial(t, user)
	if c == nil {
		t.Fatalf("%s is refused: %d", user, status)
	}
	c.send(`{"action":"ping"}`)
	var pong struct {
		Type         string `json:"type"`
		ConnectionID string `json:"connectionId"`
	}
	if got := c.next(); json.Unmarshal([]byte(got), &pong) != nil || pong.Type != "pong" {
		t.Fatalf("ping is answered with %s", got)
	}
	c.id = pong.ConnectionID
	return c
}

func (c *client) ref() sumu.ConnectionRef {
	return sumu.ConnectionRef{UserID: c.user, ConnectionID: c.id}
}

func (c *client) next() string {
	c.t.Helper()
	select {
	case frame, ok := <-c.frames:
		if !ok {
			c.t.Fatalf("%s was disconnected", c.user)
		}
		return frame
	case <-time.After(limit):
		c.t.Fatalf("%s waits for a frame in vain", c.user)
	}
	return ""
}

// want waits for the next frame. A string "?" in it stands for any string.
func (c *client) want(frame string) {
	c.t.Helper()
	got := c.next()
	var g, w any
	if err := json.Unmarshal([]byte(frame), &w); err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil || !fits(g, w) {
		c.t.Errorf("%s gets\n%s; want\n%s", c.user, got, frame)
	}
}

func fits(got, want any) bool {
	if want == "?" {
		text, ok := got.(string)
		return ok && text != ""
	}
	g, ok := got.(map[string]any)
	w, both := want.(map[string]any)
	if !ok || !both {
		return reflect.DeepEqual(got, want)
	}
	for name := range w {
		if !fits(g[name], w[name]) {
			return false
		}
	}
	return len(g) == len(w)
}

// say sends a frame and waits for what it is answered with.
func (c *client) say(frame, answer string) {
	c.t.Helper()
	c.send(frame)
	c.want(answer)
}

// refused sends a frame and wants an error frame with a code.
func (c *client) refused(frame, code string) {
	c.t.Helper()
	c.send(frame)
	got := c.next()
	var e struct{ Type, Code, Message string }
	if err := json.Unmarshal([]byte(got), &e); err != nil || e.Type != "error" || e.Code != code || e.Message == "" {
		c.t.Errorf("%.100s is answered with %s; want an error frame with %s", frame, got, code)
	}
}

// nothing wants nothing to have come: what was posted before comes before the pong.
func (c *client) nothing() {
	c.t.Helper()
	c.send(`{"action":"ping","ref":"nothing"}`)
	if got := c.next(); !strings.Contains(got, `"pong"`) || !strings.Contains(got, `"nothing"`) {
		c.t.Errorf("%s gets %s; want nothing", c.user, got)
	}
}
