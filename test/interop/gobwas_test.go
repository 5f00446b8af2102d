package interop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

var gobwas = client{
	name: "gobwas", dial: dialGobwas, whole: true,
	cannot: map[string]string{
		"compressed":                             "it leaves compression to its user",
		"compressed, in fragments, ping between": "it leaves compression to its user",
		"compressed, server closes: 1000":        "it leaves compression to its user",
	},
}

type gobwasConn struct {
	*inbox
	net.Conn
	r        io.Reader
	protocol string
}

func dialGobwas(ctx context.Context, a address) (conn, error) {
	d := ws.Dialer{Protocols: a.protocols, TLSConfig: a.tls()}
	if a.compress {
		d.Extensions = []httphead.Option{wsflate.DefaultParameters.Option()}
	}
	c, early, hs, err := d.Dial(ctx, a.url)
	if err != nil {
		var status ws.StatusError
		if errors.As(err, &status) {
			return nil, &refused{int(status)}
		}
		return nil, err
	}
	gc := &gobwasConn{inbox: newInbox(), Conn: c, r: c, protocol: hs.Protocol}
	if early != nil { // What came right behind the handshake.
		gc.r = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), c)
	}
	go gc.read()
	return gc, nil
}

func (c *gobwasConn) read() {
	defer c.Conn.Close()
	for {
		messages, err := wsutil.ReadServerMessage(c.r, nil)
		if err != nil {
			c.end(err)
			return
		}
		for _, m := range messages {
			switch m.OpCode {
			case ws.OpText:
				c.messages <- string(m.Payload)
			case ws.OpPing: // The library leaves that to its user.
				_ = c.Pong(string(m.Payload))
			case ws.OpPong:
				c.pongs <- string(m.Payload)
			case ws.OpClose:
				end := &closed{code: int(ws.StatusNoStatusRcvd)}
				if len(m.Payload) > 0 {
					code, reason := ws.ParseCloseFrameData(m.Payload)
					end = &closed{int(code), reason}
				}
				_ = wsutil.WriteClientMessage(c.Conn, ws.OpClose, m.Payload) // An answer, or one too many.
				c.end(end)
				return
			}
		}
	}
}

func (c *gobwasConn) Protocol() string { return c.protocol }

func (c *gobwasConn) Send(m message) error {
	op := ws.OpText
	if m.binary {
		op = ws.OpBinary
	}
	if m.frame == 0 {
		return wsutil.WriteClientMessage(c.Conn, op, []byte(m.text))
	}
	parts := frames(m.text, m.frame)
	for i, part := range parts {
		if i == 1 && m.ping {
			if err := c.Ping("between"); err != nil {
				return err
			}
		}
		f := ws.MaskFrameInPlace(ws.NewFrame(op, i == len(parts)-1, []byte(part)))
		var b bytes.Buffer
		if err := ws.WriteFrame(&b, f); err != nil {
			return err
		}
		if _, err := c.Conn.Write(b.Bytes()); err != nil {
			return err
		}
		op = ws.OpContinuation
	}
	return nil
}

func (c *gobwasConn) SendRaw(b []byte) error { return c.Send(message{text: string(b)}) }

func (c *gobwasConn) Ping(payload string) error {
	if err := wsutil.WriteClientMessage(c.Conn, ws.OpPing, []byte(payload)); err != nil {
		return err
	}
	return c.pong(payload)
}

func (c *gobwasConn) Pong(payload string) error {
	return wsutil.WriteClientMessage(c.Conn, ws.OpPong, []byte(payload))
}

func (c *gobwasConn) Close(code int, reason string) (int, error) {
	var payload []byte
	if code != 0 {
		payload = ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	}
	if err := wsutil.WriteClientMessage(c.Conn, ws.OpClose, payload); err != nil {
		return 0, err
	}
	return c.closeCode()
}

func (c *gobwasConn) Drop() error {
	err := c.Conn.Close()
	<-c.done
	return err
}
