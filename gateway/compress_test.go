package gateway_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

const (
	// offer is what Chromium sends.
	offer = "permessage-deflate; client_max_window_bits"
	// agreed is the answer.
	agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
)

// compressFrom has messages of n bytes and more compressed.
func compressFrom(n int) func(*gateway.Options) {
	return func(o *gateway.Options) { o.Compress = n }
}

// offers connects a user whose client offers extensions, each in a line of its
// own, and returns the answer too.
func (e *env) offers(user string, lines ...string) (c *wstest.Conn, row sumu.Connection, answer string) {
	e.t.Helper()
	r := wstest.Request(e.t, e.srv.URL+"/?user="+user)
	r.Header["Sec-Websocket-Extensions"] = lines
	c = wstest.Send(e.t, r, nil)
	resp, body := c.Response()
	if resp.StatusCode != 101 {
		e.t.Fatalf("upgrade: %s: %s", resp.Status, body)
	}
	return c, e.accepted(), strings.Join(resp.Header.Values("Sec-WebSocket-Extensions"), ", ")
}

// deflating is offers for a client whose offer is accepted.
func (e *env) deflating(user string) (*wstest.Conn, sumu.Connection) {
	e.t.Helper()
	c, row, answer := e.offers(user, offer)
	if answer != agreed {
		e.t.Fatalf("%q is answered with %q, want %q", offer, answer, agreed)
	}
	return c, row
}

func (c sent) expect(t *testing.T, e *env, row sumu.Connection, conn *wstest.Conn) {
	t.Helper()
	if err := e.post(row, c.text); err != nil {
		t.Fatal(err)
	}
	if !c.deflated {
		conn.ExpectText(c.text)
		return
	}
	if got, _ := conn.ExpectDeflated(); got != c.text {
		t.Fatalf("a post of %d bytes comes as %d: %.60q", len(c.text), len(got), got)
	}
}

// sent is a message, and how it is expected to come.
type sent struct {
	text     string
	deflated bool
}

// random is text that deflate makes little smaller.
func random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[rand.IntN(64)]
	}
	return string(b)
}

// Posts and replies of Compress bytes and more go out compressed, if that makes
// them smaller; what a client compresses is understood, and plain messages
// still are; control frames are what they were.
func TestCompression(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{tls: tls, gw: []func(*gateway.Options){compressFrom(100)}})
			e.app.Handle("echo", func(_ context.Context, m sumu.Message) ([]byte, error) { return m.Field("message"), nil })
			c, row := e.deflating("ann")
			for _, s := range []sent{
				{strings.Repeat("x", 99), false},
				{strings.Repeat("x", 100), true},
				{strings.Repeat("x", 100), true}, // On its own, not as a repetition.
				{strings.Repeat("€𝄞", 10_000), true},
				{random(sumu.MaxPayload), true},
				{"", false},
				{everyRune(), false}, // Not smaller.
			} {
				s.expect(t, e, row, c)
			}
			short, long := `"short"`, `"`+strings.Repeat("long ", 20_000)+`"`
			say := func(text string) string { return `{"action":"echo","message":` + text + `}` }
			half, rest := wstest.Deflated(say(long)), wstest.New(ws.Continuation, "")
			half.Fin = false
			cut := len(half.Payload) / 2
			half.Payload, rest.Payload = half.Payload[:cut], half.Payload[cut:]
			half.Length, rest.Length = uint64(len(half.Payload)), uint64(len(rest.Payload))
			c.Send(wstest.Deflated(say(short)), wstest.Text(say(long[:1000]+`"`)), half, wstest.New(ws.Ping, "between"), rest)
			c.ExpectText(short)
			if got, _ := c.ExpectDeflated(); got != long[:1000]+`"` {
				t.Errorf("a reply of %d bytes comes as %d", 1001, len(got))
			}
			if got := c.Expect(ws.Pong); got != "between" {
				t.Errorf("pong is %q", got)
			}
			if got, _ := c.ExpectDeflated(); got != long {
				t.Errorf("a reply of %d bytes comes as %d", len(long), len(got))
			}
			c.Send(wstest.New(ws.Ping, strings.Repeat("p", 125)))
			if got := c.Expect(ws.Pong); got != strings.Repeat("p", 125) {
				t.Errorf("pong is %q", got)
			}
			if err := e.gw.Disconnect(t.Context(), row); err != nil {
				t.Fatal(err)
			}
			c.ExpectClose(1000)
			_ = c.Close()
			e.expectEnd(row, 1000)
		})
	}
}

// everyRune is text in which nothing stands twice.
func everyRune() string {
	var b strings.Builder
	for _, i := range rand.Perm(100)[:40] {
		b.WriteRune(rune(0x4000 + i*331))
	}
	return b.String()
}

// An offer that cannot be met is declined; the connection opens without it.
func TestCompressionOffers(t *testing.T) {
	e := start(t, config{gw: []func(*gateway.Options){compressFrom(1)}})
	for i, tt := range []struct {
		lines  []string
		answer string
	}{
		{nil, ""},
		{[]string{"x-webkit-deflate-frame"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=10"}, ""},
		{[]string{"permessage-deflate; unknown", `permessage-deflate; client_max_window_bits="99"`}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, agreed},
		{[]string{"x-webkit-deflate-frame", "permessage-deflate"}, agreed},
		{[]string{"permessage-deflate; server_max_window_bits=15; server_no_context_takeover"}, agreed + "; server_max_window_bits=15"},
	} {
		c, row, answer := e.offers(fmt.Sprint(i), tt.lines...)
		if answer != tt.answer {
			t.Errorf("%q is answered with %q, want %q", tt.lines, answer, tt.answer)
		}
		sent{strings.Repeat("x", 100), tt.answer != ""}.expect(t, e, row, c)
		if tt.answer == "" {
			c.Send(wstest.Deflated("whatever"))
			c.ExpectClose(1002)
			_ = c.Close()
			e.expectEnd(row, 1002)
		}
	}
}

// However many sockets a payload goes to, and at once, it is compressed once;
// for those that did not offer it, it is not.
func TestCompressedOnce(t *testing.T) {
	const sockets, posts = 20, 5
	e := start(t, config{gw: []func(*gateway.Options){compressFrom(100)}})
	var deflations atomic.Int64
	e.gw.CountDeflations(&deflations)
	var clients [2 * sockets]*wstest.Conn
	var rows [2 * sockets]sumu.Connection
	for i := range sockets {
		clients[i], rows[i] = e.deflating(fmt.Sprint(i))
		clients[sockets+i], rows[sockets+i] = e.dial(fmt.Sprint("plain-", i))
	}
	post := func(rows []sumu.Connection, text string) {
		t.Helper()
		p, err := sumu.NewPayload([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, row := range rows {
			all.Go(func() {
				if err := e.gw.Post(context.Background(), row, p); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	for i := range posts {
		text := strings.Repeat(fmt.Sprint("message ", i, " "), 100)
		post(rows[:], text)
		if got := deflations.Load(); got != int64(i+1) {
			t.Fatalf("%d posts were compressed %d times", i+1, got)
		}
		for _, c := range clients[:sockets] {
			if got, _ := c.ExpectDeflated(); got != text {
				t.Fatalf("message is %q", got)
			}
		}
		for _, c := range clients[sockets:] {
			c.ExpectText(text)
		}
	}
	post(rows[sockets:], strings.Repeat("plain", 100))
	post(rows[:], "short")
	if got := deflations.Load(); got != posts {
		t.Errorf("what nobody gets compressed was: %d times", got-posts)
	}
	post(rows[:sockets], everyRune())
	if got := deflations.Load(); got != posts+1 {
		t.Errorf("what does not get smaller was compressed %d times", got-posts)
	}
}

// FrameSize is that of frames as they are sent.
func TestCompressedFrameSize(t *testing.T) {
	for option, most := range map[int]int{0: sumu.MaxPayload, 32 << 10: 32 << 10, 1 << 10: 1 << 10, -1: sumu.MaxPayload} {
		e := start(t, config{gw: []func(*gateway.Options){compressFrom(1), func(o *gateway.Options) { o.FrameSize = option }}})
		text := random(sumu.MaxPayload) // Some 100 KB, compressed.
		e.app.Handle("long", func(context.Context, sumu.Message) ([]byte, error) { return []byte(text), nil })
		c, row := e.deflating("ann")
		if err := e.post(row, text); err != nil {
			t.Fatal(err)
		}
		c.Send(wstest.Text(`{"action":"long"}`))
		for range 2 {
			got, payloads := c.ExpectDeflated()
			if got != text || len(strings.Join(payloads, "")) > 101<<10 {
				t.Errorf("%d: %d bytes came as %d", option, len(text), len(got))
			}
			for i, p := range payloads {
				if last := i == len(payloads)-1; len(p) > most || !last && len(p) < most {
					t.Errorf("%d: frame %d of %d has %d bytes", option, i, len(payloads), len(p))
				}
			}
		}
	}
}

// What is wrong with a compressed message closes the socket with the right code.
func TestCompressionViolations(t *testing.T) {
	ping := wstest.New(ws.Ping, wstest.Deflate("p"))
	ping.RSV = 4
	second := wstest.New(ws.Continuation, "\x00")
	second.RSV = 4
	first := wstest.Text("a")
	first.Fin = false
	for name, tt := range map[string]struct {
		code   int
		frames []wstest.Frame
	}{
		"bomb":                {1009, []wstest.Frame{wstest.Deflated(strings.Repeat("x", 10<<20))}},
		"one byte too many":   {1009, []wstest.Frame{wstest.Deflated(padded(sumu.MaxPayload + 1))}},
		"frame over MaxFrame": {1009, []wstest.Frame{wstest.Deflated(random(50 << 10))}},
		"no deflate data":     {1007, []wstest.Frame{wstest.Compressed(`{"action":"ping"}`)}},
		"not UTF-8":           {1007, []wstest.Frame{wstest.Deflated("{\"action\":\"\xff\"}")}},
		"control frame":       {1002, []wstest.Frame{ping}},
		"second frame":        {1002, []wstest.Frame{first, second}},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{gw: []func(*gateway.Options){compressFrom(1)}})
			c, row := e.deflating("ann")
			c.Send(wstest.Deflated(padded(sumu.MaxPayload))) // The longest there may be.
			if got := c.Expect(ws.Text); !strings.Contains(got, `"pong"`) {
				t.Errorf("reply is %s", got)
			}
			c.Send(tt.frames...)
			c.ExpectClose(tt.code)
			_ = c.Close()
			e.expectEnd(row, tt.code)
		})
	}
}
