package iot

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/packets"
)

// message is one that a client has received.
type message struct{ topic, payload string }

// client is an MQTT client of a few lines, which acknowledges what it gets.
type client struct {
	conn     *stream
	messages chan message
	suback   chan byte
	puback   chan struct{}
	ended    chan struct{}
}

var errRefused = errors.New("the broker did not accept the connection")

// dial connects; the broker may not accept the client id.
func dial(t *testing.T, url, clientID string) (*client, error) {
	t.Helper()
	ws, answer, err := (&websocket.Dialer{Subprotocols: []string{"mqtt"}}).Dial(url, nil)
	if err != nil {
		if answer != nil {
			body, _ := io.ReadAll(answer.Body)
			err = fmt.Errorf("%d %s", answer.StatusCode, bytes.TrimSpace(body))
		}
		return nil, err
	}
	c := &client{
		conn:     &stream{Conn: ws.NetConn(), ws: ws},
		messages: make(chan message, 100), suback: make(chan byte, 1), puback: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	t.Cleanup(func() {
		_ = ws.Close()
		<-c.ended
	})
	c.send(func(b *bytes.Buffer) error {
		return (&packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4,
			Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: clientID},
		}).ConnectEncode(b)
	})
	accepted := make(chan bool, 1)
	go c.read(accepted)
	if ok := <-accepted; !ok {
		return nil, errRefused
	}
	return c, nil
}

func (c *client) send(encode func(*bytes.Buffer) error) {
	var b bytes.Buffer
	if err := encode(&b); err == nil {
		_, _ = c.conn.Write(b.Bytes()) // The reader sees that it has ended.
	}
}

func (c *client) read(accepted chan bool) {
	defer close(c.ended)
	defer close(accepted)
	r := bufio.NewReader(c.conn)
	for {
		head, err := r.ReadByte()
		if err != nil {
			return
		}
		length, err := binary.ReadUvarint(r) // MQTT's lengths are of the same form.
		if err != nil {
			return
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		switch head >> 4 {
		case packets.Connack:
			if accepted <- body[1] == 0; body[1] != 0 {
				return
			}
		case packets.Publish:
			end := 2 + int(binary.BigEndian.Uint16(body))
			m := message{topic: string(body[2:end]), payload: string(body[end:])}
			if head&6 != 0 {
				m.payload = string(body[end+2:])
			}
			c.messages <- m
			if head&6 != 0 {
				c.send(func(b *bytes.Buffer) error {
					b.Write([]byte{packets.Puback << 4, 2, body[end], body[end+1]})
					return nil
				})
			}
		case packets.Suback:
			c.suback <- body[2]
		case packets.Puback:
			c.puback <- struct{}{}
		}
	}
}

const patience = time.Minute

// subscribe reports whether the broker has granted a topic.
func (c *client) subscribe(t *testing.T, topic string) bool {
	t.Helper()
	c.send(func(b *bytes.Buffer) error {
		return (&packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: 4, PacketID: 7,
			Filters: packets.Subscriptions{{Filter: topic, Qos: 1}},
		}).SubscribeEncode(b)
	})
	select {
	case code := <-c.suback:
		return code <= 2
	case <-c.ended:
		t.Fatalf("the connection ended when it subscribed to %q", topic)
	case <-time.After(patience):
		t.Fatalf("no answer about %q", topic)
	}
	return false
}

// publish reports whether the broker has taken a message; it ends the
// connection of who may not publish.
func (c *client) publish(t *testing.T, topic, payload string) bool {
	t.Helper()
	c.send(func(b *bytes.Buffer) error {
		return (&packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, ProtocolVersion: 4, PacketID: 8,
			TopicName: topic, Payload: []byte(payload),
		}).PublishEncode(b)
	})
	select {
	case <-c.puback:
		return true
	case <-c.ended:
	case <-time.After(patience):
		t.Fatalf("no answer about a message to %q", topic)
	}
	return false
}

// receive waits for a message that holds a text.
func (c *client) receive(t *testing.T, part string) message {
	t.Helper()
	limit := time.After(patience)
	for {
		select { // What came before the end counts.
		case m := <-c.messages:
			if strings.Contains(m.payload, part) {
				return m
			}
			continue
		default:
		}
		select {
		case m := <-c.messages:
			if strings.Contains(m.payload, part) {
				return m
			}
		case <-c.ended:
			if len(c.messages) == 0 {
				t.Fatalf("the connection ended before %q came", part)
			}
		case <-limit:
			t.Fatalf("%q did not come", part)
		}
	}
}
