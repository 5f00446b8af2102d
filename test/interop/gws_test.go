package interop

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/lxzan/gws"
)

var gwsClient = client{
	name: "gws", dial: dialGWS, whole: true, hasty: true,
	cannot: map[string]string{
		"fragments of 16 KB":                     "it sends a message in one frame",
		"fragments of 5 bytes":                   "it sends a message in one frame",
		"ping between fragments":                 "it sends a message in one frame",
		"compressed, in fragments, ping between": "it sends a message in one frame",
		"close without code":                     "it has no call for it",
	},
}

type gwsConn struct {
	gws.BuiltinEventHandler
	*inbox
	c *gws.Conn
}

func dialGWS(_ context.Context, a address) (conn, error) {
	gc := &gwsConn{inbox: newInbox()}
	opts := &gws.ClientOption{
		Addr: a.url, TlsConfig: a.tls(), RequestHeader: http.Header{}, HandshakeTimeout: patience,
		PermessageDeflate: gws.PermessageDeflate{Enabled: a.compress},
	}
	if len(a.protocols) > 0 {
		opts.RequestHeader.Set("Sec-WebSocket-Protocol", strings.Join(a.protocols, ", "))
	}
	c, resp, err := gws.NewClient(gc, opts)
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, &refused{resp.StatusCode}
		}
		return nil, err
	}
	gc.c = c
	go c.ReadLoop()
	return gc, nil
}

// OnMessage is that of [gws.Event].
func (c *gwsConn) OnMessage(_ *gws.Conn, m *gws.Message) {
	c.messages <- m.Data.String()
	_ = m.Close() // It gives the buffer back.
}

// OnPong is that of [gws.Event].
func (c *gwsConn) OnPong(_ *gws.Conn, payload []byte) { c.pongs <- string(payload) }

// OnClose is that of [gws.Event].
func (c *gwsConn) OnClose(_ *gws.Conn, err error) {
	var end *gws.CloseError
	if errors.As(err, &end) {
		err = &closed{int(end.Code), string(end.Reason)}
	}
	c.end(err)
}

func (c *gwsConn) Protocol() string { return c.c.SubProtocol() }

func (c *gwsConn) Send(m message) error {
	op := gws.OpcodeText
	if m.binary {
		op = gws.OpcodeBinary
	}
	return c.c.WriteMessage(op, []byte(m.text))
}

func (c *gwsConn) SendRaw(b []byte) error { return c.Send(message{text: string(b)}) }

func (c *gwsConn) Ping(payload string) error {
	if err := c.c.WritePing([]byte(payload)); err != nil {
		return err
	}
	return c.pong(payload)
}

func (c *gwsConn) Pong(payload string) error { return c.c.WritePong([]byte(payload)) }

// Close does not wait for an answer: gws ends the connection behind its close
// frame. What the server made of it is all that can be checked.
func (c *gwsConn) Close(code int, reason string) (int, error) {
	err := c.c.WriteClose(uint16(code), []byte(reason))
	<-c.done
	return code, err
}

func (c *gwsConn) Drop() error {
	err := c.c.NetConn().Close()
	<-c.done
	return err
}
