package interop

import (
	"context"
	"errors"
	"time"

	"github.com/gorilla/websocket"
)

var gorilla = client{name: "gorilla", dial: dialGorilla}

type gorillaConn struct {
	*inbox
	c *websocket.Conn
}

func dialGorilla(ctx context.Context, a address) (conn, error) {
	// Its frames are as long as its buffer.
	d := websocket.Dialer{
		Subprotocols: a.protocols, EnableCompression: a.compress,
		WriteBufferSize: a.frame, TLSClientConfig: a.tls(),
	}
	c, resp, err := d.DialContext(ctx, a.url, nil)
	if err != nil {
		if errors.Is(err, websocket.ErrBadHandshake) {
			return nil, &refused{resp.StatusCode}
		}
		return nil, err
	}
	gc := &gorillaConn{newInbox(), c}
	c.SetPongHandler(func(payload string) error { gc.pongs <- payload; return nil })
	go gc.read()
	return gc, nil
}

func (c *gorillaConn) read() {
	defer c.c.Close()
	for {
		_, b, err := c.c.ReadMessage()
		if err != nil {
			// It makes up a 1006 when the connection ends without a close frame.
			var end *websocket.CloseError
			if errors.As(err, &end) && end.Code != websocket.CloseAbnormalClosure {
				err = &closed{end.Code, end.Text}
			}
			c.end(err)
			return
		}
		c.messages <- string(b)
	}
}

func (c *gorillaConn) Protocol() string { return c.c.Subprotocol() }

func (c *gorillaConn) Send(m message) error {
	typ := websocket.TextMessage
	if m.binary {
		typ = websocket.BinaryMessage
	}
	w, err := c.c.NextWriter(typ)
	if err != nil {
		return err
	}
	size := len(m.text)
	if m.ping {
		size = m.frame + 1 // The first frame goes out when there is no room for one byte more.
	}
	for i, part := range frames(m.text, size) {
		if i == 1 && m.ping {
			if err := c.Ping("between"); err != nil {
				return err
			}
		}
		if _, err := w.Write([]byte(part)); err != nil {
			return err
		}
	}
	return w.Close()
}

func (c *gorillaConn) SendRaw(b []byte) error { return c.Send(message{text: string(b)}) }

func (c *gorillaConn) control(typ int, payload []byte) error {
	return c.c.WriteControl(typ, payload, time.Now().Add(patience))
}

func (c *gorillaConn) Ping(payload string) error {
	if err := c.control(websocket.PingMessage, []byte(payload)); err != nil {
		return err
	}
	return c.pong(payload)
}

func (c *gorillaConn) Pong(payload string) error {
	return c.control(websocket.PongMessage, []byte(payload))
}

func (c *gorillaConn) Close(code int, reason string) (int, error) {
	var payload []byte
	if code != 0 {
		payload = websocket.FormatCloseMessage(code, reason)
	}
	if err := c.control(websocket.CloseMessage, payload); err != nil {
		return 0, err
	}
	return c.closeCode()
}

func (c *gorillaConn) Drop() error {
	err := c.c.Close()
	<-c.done
	return err
}
