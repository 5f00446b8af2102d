package e2e

import (
	"strings"
	"testing"
)

// forbidden is how API Gateway answers a message that no route takes.
func (s *socket) forbidden(why string) {
	s.t.Helper()
	for {
		m := s.message()
		if m["type"] == "presence" {
			continue
		}
		if m["message"] != "Forbidden" || m["connectionId"] == "" || m["requestId"] == "" {
			s.t.Errorf("%s is answered with %v; want API Gateway's Forbidden", why, m)
		}
		return
	}
}

// TestFramesThatAreAnswered: what a client gets wrong does not cost it the connection.
func TestFramesThatAreAnswered(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	s := connect(t, p, "ann")
	for name, text := range map[string]string{
		"not JSON":            `hello`,
		"half of JSON":        `{"action":`,
		"a list":              `["publish"]`,
		"nothing":             ``,
		"no action":           `{"message":1}`,
		"action a number":     `{"action":7}`,
		"action null":         `{"action":null}`,
		"action twice":        `{"action":"ping","action":"publish"}`,
		"an unknown action":   `{"action":"fly"}`,
		"Action, capitalised": `{"Action":"ping"}`,
		"128 KB":              `{"action":"fly","x":"` + strings.Repeat("x", 128*1024-len(`{"action":"fly","x":""}`)) + `"}`,
	} {
		s.send(text)
		s.forbidden(name)
	}
	for _, c := range []struct{ name, text, says string }{
		{"no message", `{"action":"publish","ref":"1"}`, "message is missing"},
		{"text a number", `{"action":"publish","ref":"1","message":{"type":"chat","to":"everyone","text":7,"key":"k"}}`, "not an object"},
		{"to nobody", `{"action":"publish","ref":"1","message":{"type":"chat","to":{"users":[]},"text":"a","key":"k"}}`, "message.to"},
		{"to missing", `{"action":"publish","ref":"1","message":{"type":"chat","text":"a","key":"k"}}`, "message.to"},
		{"to a number", `{"action":"publish","ref":"1","message":{"type":"chat","to":7,"text":"a","key":"k"}}`, "message.to"},
		{"no text", `{"action":"publish","ref":"1","message":{"type":"chat","to":"everyone","key":"k"}}`, "text is empty"},
		{"no key", `{"action":"publish","ref":"1","message":{"type":"chat","to":"everyone","text":"a"}}`, "key"},
		{"long text", `{"action":"publish","ref":"1","message":{"type":"chat","to":"everyone","text":"` + strings.Repeat("é", 2001) + `","key":"k"}}`, "2001 characters"},
	} {
		s.send(c.text)
		m := s.next("error")
		if m["code"] != "bad_request" || m["ref"] != "1" || !strings.Contains(m["message"].(string), c.says) {
			t.Errorf("%s: %v; want bad_request that says %q", c.name, m, c.says)
		}
	}
	s.send(`{"action":"ping","ref":7}`)
	if m := s.next("error"); m["code"] != "bad_request" {
		t.Errorf("a ref that is a number: %v; want bad_request", m)
	}
	s.alive()
}

// TestFramesThatClose: what breaks the protocol costs the connection, says so,
// and costs nobody else anything.
func TestFramesThatClose(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	other := connect(t, p, "other")
	text := func(n int) []byte { return []byte(`{"action":"ping","x":"` + strings.Repeat("x", n-24) + `"}`) }
	unmasked := frame(true, opText, []byte("{}"))
	unmasked = append([]byte{unmasked[0], 2}, "{}"...)
	for _, c := range []struct {
		name string
		send [][]byte
		code int
	}{
		{"129 KB in frames of 16 KB", fragments(text(129*1024), 16*1024), 1009},
		{"129 KB in one frame", [][]byte{frame(true, opText, text(129*1024))}, 1009},
		{"binary", [][]byte{frame(true, opBinary, []byte("{}"))}, 1003},
		{"not UTF-8", [][]byte{frame(true, opText, []byte("\xff\xfe"))}, 1007},
		{"not masked", [][]byte{unmasked}, 1002},
		{"a reserved opcode", [][]byte{frame(true, 0x3, nil)}, 1002},
		{"a reserved bit", [][]byte{append([]byte{0xC1}, frame(true, opText, []byte("{}"))[1:]...)}, 1002},
		{"a continuation of nothing", [][]byte{frame(true, opContinuation, nil)}, 1002},
		{"a new message inside a message", [][]byte{frame(false, opText, []byte("{")), frame(true, opText, []byte("}"))}, 1002},
		{"a ping of 126 bytes", [][]byte{frame(true, opPing, make([]byte, 126))}, 1002},
		{"a fragmented ping", [][]byte{frame(false, opPing, nil)}, 1002},
		{"a close of one byte", [][]byte{frame(true, opClose, []byte{3})}, 1002},
		{"a polite close", [][]byte{frame(true, opClose, []byte{3, 232})}, 1000},
	} {
		s := connect(t, p, "ann")
		for _, b := range c.send {
			s.write(b)
		}
		if got := s.closed(); got != c.code {
			t.Errorf("%s: closed with %d; want %d", c.name, got, c.code)
		}
	}
	other.alive()
}

func fragments(payload []byte, most int) [][]byte {
	var out [][]byte
	for opcode := byte(opText); len(payload) > 0; opcode = opContinuation {
		n := min(len(payload), most)
		out = append(out, frame(n == len(payload), opcode, payload[:n]))
		payload = payload[n:]
	}
	return out
}

// TestFrameInPieces: frames come in any pieces that the network makes of them,
// with control frames between fragments.
func TestFrameInPieces(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	s := connect(t, p, "ann")
	for _, b := range frame(true, opText, []byte(`{"action":"ping","ref":"slow"}`)) {
		s.write([]byte{b})
	}
	if m := s.next("pong"); m["ref"] != "slow" {
		t.Errorf("pong is %v", m)
	}
	s.write(frame(false, opText, []byte(`{"action":"pi`)))
	s.write(frame(true, opPing, []byte("beat")))
	if opcode, payload := s.read(); opcode != opPong || string(payload) != "beat" {
		t.Errorf("a ping between fragments: opcode %#x, %q", opcode, payload)
	}
	s.write(frame(false, opContinuation, nil))
	s.write(frame(true, opContinuation, []byte(`ng","ref":"parts"}`)))
	if m := s.next("pong"); m["ref"] != "parts" {
		t.Errorf("pong is %v", m)
	}
}

// TestHalfAFrame: clients that fall silent in the middle of a frame, of a
// message or of the handshake hold up nobody, not even the end of the program.
func TestHalfAFrame(t *testing.T) {
	enabled(t)
	t.Parallel()
	p := start(t, anyPort)
	whole := frame(true, opText, []byte(`{"action":"ping"}`))
	for n := 1; n < len(whole); n += 3 {
		connect(t, p, "silent").write(whole[:n])
	}
	silent := connect(t, p, "silent")
	silent.write(frame(false, opText, []byte(`{"action":`)))

	ann := connect(t, p, "ann")
	ann.alive()
	notified(t, p, `{"users":["silent","ann"],"data":{"type":"note"}}`)
	ann.next("note")
	if code := silent.closed(); code != 1008 {
		t.Errorf("half a message, then silence: closed with %d; want 1008", code)
	}
	connect(t, p, "silent").write(whole[:1])
	p.stop(t) // Fails the test unless it ends in time, with exit code 0.
	if code := ann.closed(); code != 1001 {
		t.Errorf("the end of the program closes with %d; want 1001", code)
	}
}
