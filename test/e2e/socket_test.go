package e2e

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The opcodes of RFC 6455 that the tests send or read.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// socket is a WebSocket client that sends whatever bytes a test wants. It is
// written from RFC 6455 alone and shares no code with the server.
type socket struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// handshake asks for an upgrade and returns the answer; on a 101 the socket is open.
func handshake(t *testing.T, p *program, query string, header http.Header) (*http.Response, *socket) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &socket{t: t, conn: conn, in: bufio.NewReader(conn)}
	s.deadline()
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	req, err := http.NewRequest(http.MethodGet, p.URL+"/ws"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", key)
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(s.in, req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if got, want := resp.Header.Get("Sec-WebSocket-Accept"), base64.StdEncoding.EncodeToString(sum[:]); got != want {
			t.Errorf("Sec-WebSocket-Accept is %q; want %q", got, want)
		}
	}
	return resp, s
}

// connect opens a socket for a user.
func connect(t *testing.T, p *program, user string) *socket {
	t.Helper()
	resp, s := handshake(t, p, "", http.Header{"Sec-Websocket-Protocol": {"sumu, bearer." + token(t, p, user)}})
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the upgrade of %s was answered with %s", user, resp.Status)
	}
	if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != "sumu" {
		t.Fatalf("the sub-protocol is %q; want sumu alone", got)
	}
	return s
}

// deadline gives what follows a while.
func (s *socket) deadline() {
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
}

// frame returns the bytes of a masked frame.
func frame(fin bool, opcode byte, payload []byte) []byte {
	b := []byte{opcode, 0x80}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n < 1<<16:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// write sends bytes as they are. An error is the caller's to see when it
// reads: a server that has refused the first half need not take the second.
func (s *socket) write(b []byte) {
	s.deadline()
	_, _ = s.conn.Write(b)
}

// send sends a text message in frames of at most 16 KB, as API Gateway's
// limit of 32 KB for a frame wants.
func (s *socket) send(text string) {
	const most = 16 * 1024
	opcode := byte(opText)
	for rest := []byte(text); ; opcode = opContinuation {
		n := min(len(rest), most)
		s.write(frame(n == len(rest), opcode, rest[:n]))
		if rest = rest[n:]; len(rest) == 0 {
			return
		}
	}
}

// read returns the server's next message, its fragments joined, or its next
// control frame.
func (s *socket) read() (opcode byte, payload []byte) {
	s.t.Helper()
	fin, opcode, payload := s.readFrame()
	for !fin {
		var next byte
		var rest []byte
		fin, next, rest = s.readFrame()
		if next != opContinuation {
			s.t.Fatalf("frame with opcode %#x between fragments", next)
		}
		payload = append(payload, rest...)
	}
	return opcode, payload
}

func (s *socket) readFrame() (fin bool, opcode byte, payload []byte) {
	s.t.Helper()
	s.deadline()
	var head [2]byte
	s.full(head[:])
	n := uint64(head[1] & 0x7f)
	switch n {
	case 126:
		var ext [2]byte
		s.full(ext[:])
		n = uint64(binary.BigEndian.Uint16(ext[:]))
	case 127:
		var ext [8]byte
		s.full(ext[:])
		n = binary.BigEndian.Uint64(ext[:])
	}
	switch {
	case head[0]&0x70 != 0:
		s.t.Fatalf("a frame has reserved bits: %#x", head[0])
	case head[1]&0x80 != 0:
		s.t.Fatal("the server masks its frames")
	case n > 1<<20:
		s.t.Fatalf("a frame of %d bytes", n)
	}
	payload = make([]byte, n)
	s.full(payload)
	return head[0]&0x80 != 0, head[0] & 0x0f, payload
}

func (s *socket) full(b []byte) {
	s.t.Helper()
	if _, err := io.ReadFull(s.in, b); err != nil {
		s.t.Fatalf("reading a frame: %v", err)
	}
}

// message returns the next text message as a JSON object.
func (s *socket) message() map[string]any {
	s.t.Helper()
	opcode, payload := s.read()
	if opcode != opText {
		s.t.Fatalf("frame with opcode %#x, %q; want text", opcode, payload)
	}
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		s.t.Fatalf("%q is not a JSON object: %v", payload, err)
	}
	return m
}

// next returns the next message of a type and skips others, such as presence.
func (s *socket) next(kind string) map[string]any {
	s.t.Helper()
	for range 100 {
		if m := s.message(); m["type"] == kind {
			return m
		}
	}
	s.t.Fatalf("no message of type %q among 100", kind)
	return nil
}

// closed reads until the server's close frame and returns its code.
func (s *socket) closed() int {
	s.t.Helper()
	for {
		opcode, payload := s.read()
		if opcode != opClose {
			continue
		}
		if len(payload) < 2 {
			return 1005
		}
		return int(binary.BigEndian.Uint16(payload))
	}
}

// alive checks that the server still answers on this socket.
func (s *socket) alive() (connectionID string) {
	s.t.Helper()
	s.send(`{"action":"ping","ref":"alive"}`)
	pong := s.next("pong")
	if pong["ref"] != "alive" {
		s.t.Fatalf("pong is %v; want the ref back", pong)
	}
	return pong["connectionId"].(string)
}

// token asks the running server for a token.
func token(t *testing.T, p *program, user string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"user": user})
	if err != nil {
		t.Fatal(err)
	}
	r := post(t, p, "/token", string(body))
	if r.status != http.StatusOK || strings.Count(r.json["token"], ".") != 2 {
		t.Fatalf("POST /token: %d %s", r.status, r.body)
	}
	return r.json["token"]
}
