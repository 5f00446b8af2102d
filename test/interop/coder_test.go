package interop

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/coder/websocket"
)

var coder = client{
	name: "coder", dial: dialCoder, whole: true,
	cannot: map[string]string{
		"pong unasked":       "it has no call for it",
		"close without code": "it has no call for it",
	},
}

type coderConn struct {
	*inbox
	c  *websocket.Conn
	tr *http.Transport
}

func dialCoder(ctx context.Context, a address) (conn, error) {
	// Its own transport, as the default one's idle connections outlive a test.
	tr := &http.Transport{TLSClientConfig: a.tls(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	opts := &websocket.DialOptions{Subprotocols: a.protocols, HTTPClient: &http.Client{Transport: tr}}
	if a.compress {
		opts.CompressionMode = websocket.CompressionContextTakeover
	}
	c, resp, err := websocket.Dial(ctx, a.url, opts)
	if err != nil {
		tr.CloseIdleConnections()
		if resp != nil {
			return nil, &refused{resp.StatusCode}
		}
		return nil, err
	}
	c.SetReadLimit(-1)
	cc := &coderConn{newInbox(), c, tr}
	go cc.read()
	return cc, nil
}

func (c *coderConn) read() {
	for {
		_, b, err := c.c.Read(context.Background())
		if err != nil {
			var end websocket.CloseError
			if errors.As(err, &end) {
				err = &closed{int(end.Code), end.Reason}
			}
			c.end(err)
			return
		}
		c.messages <- string(b)
	}
}

func (c *coderConn) Protocol() string { return c.c.Subprotocol() }

func (c *coderConn) Send(m message) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	typ := websocket.MessageText
	if m.binary {
		typ = websocket.MessageBinary
	}
	if m.frame == 0 {
		return c.c.Write(ctx, typ, []byte(m.text))
	}
	w, err := c.c.Writer(ctx, typ)
	if err != nil {
		return err
	}
	for i, part := range frames(m.text, m.frame) {
		if i == 1 && m.ping {
			if err := c.c.Ping(ctx); err != nil {
				return err
			}
		}
		if _, err := w.Write([]byte(part)); err != nil {
			return err
		}
	}
	return w.Close()
}

func (c *coderConn) SendRaw(b []byte) error { return c.Send(message{text: string(b)}) }

// Ping chooses its payload itself.
func (c *coderConn) Ping(string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.c.Ping(ctx)
}

func (c *coderConn) Pong(string) error { return errors.ErrUnsupported }

// Close returns nil only when the server answers with the same code.
func (c *coderConn) Close(code int, reason string) (int, error) {
	err := c.c.Close(websocket.StatusCode(code), reason)
	<-c.done
	return code, err
}

func (c *coderConn) Drop() error {
	err := c.c.CloseNow()
	<-c.done
	return err
}
