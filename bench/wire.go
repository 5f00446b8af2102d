package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Servers that have a protocol of their own over WebSocket are sent a request
// first, and wrap what they send. That is centrifuge.

const centrifugeConnect = `{"id":1,"connect":{}}`

// hello is what a client sends once the handshake is answered; nil: nothing.
func hello(kind string) []byte {
	if kind != kindCentrifuge {
		return nil
	}
	frame := []byte{0x81, 0x80 | byte(len(centrifugeConnect)), 0, 0, 0, 0} // A mask of zeroes.
	return append(frame, centrifugeConnect...)
}

// greeted checks the answer to hello.
func greeted(payload []byte) error {
	if !bytes.HasPrefix(payload, []byte(`{"id":1,"connect":{"client":`)) {
		return fmt.Errorf("connected with %q", payload)
	}
	return nil
}

// wrapped is how a message comes from a server with a protocol of its own.
func wrapped(number int) []byte {
	return fmt.Appendf(nil, `{"push":{"channel":%q,"pub":{"data":%s}}}`, centrifugeChannel, message(number))
}

// cutFrame takes the first frame of a server off b; payload is nil when it is
// not whole.
func cutFrame(b []byte) (payload, rest []byte, err error) {
	if len(b) < 2 {
		return nil, b, nil
	}
	if b[0] != 0x81 || b[1] >= 127 {
		return nil, b, fmt.Errorf("frame begins with %x", b[:2])
	}
	n, head := int(b[1]), 2
	if n == 126 {
		if len(b) < 4 {
			return nil, b, nil
		}
		n, head = int(binary.BigEndian.Uint16(b[2:])), 4
	}
	if n == 0 {
		return nil, b, errors.New("empty frame")
	}
	if len(b) < head+n {
		return nil, b, nil
	}
	return b[head : head+n], b[head+n:], nil
}

// takeWrapped is take for messages that the server has wrapped, several of them
// in one frame as it likes, a line each.
func (e *expectation) takeWrapped(id int, b []byte) error {
	b = append(e.partial[id], b...)
	for {
		payload, rest, err := cutFrame(b)
		if err != nil {
			return err
		}
		if payload == nil {
			e.partial[id] = append(e.partial[id][:0], rest...)
			return nil
		}
		for line := range bytes.SplitSeq(bytes.TrimSuffix(payload, []byte("\n")), []byte("\n")) {
			if e.got[id] == len(e.wrapped) || !bytes.Equal(line, e.wrapped[e.got[id]]) {
				return fmt.Errorf("message %d is not what was sent: %q", e.got[id], line)
			}
			e.got[id]++
		}
		b = rest
	}
}

// overTLS is added to the kind of a server that is to speak TLS.
const overTLS = "-tls"

// plainKind tells whether a kind speaks TLS, and returns it without.
func plainKind(kind string) (plain string, tls bool) {
	return strings.CutSuffix(kind, overTLS)
}
