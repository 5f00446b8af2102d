// Package ws is the server's side of the WebSocket protocol (RFC 6455): the
// handshake, frames, and what makes a client's bytes wrong. It is the one place
// that knows the protocol. It does no I/O and starts nothing: gateway owns the
// sockets, and hands bytes in and out.
//
// It is strict where the protocol says MUST, and takes text only, as API Gateway
// does. The one extension it speaks, where it is asked to, is
// permessage-deflate (RFC 7692).
package ws

import "fmt"

// Opcode is what a frame is.
type Opcode byte

// The opcodes of RFC 6455, section 5.2. Others are refused.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// Control reports whether frames of op are control frames: short, whole, and
// allowed between the fragments of a message.
func (op Opcode) Control() bool { return op&0x8 != 0 }

func (op Opcode) known() bool { return op <= Binary || op >= Close && op <= Pong }

// The close codes of RFC 6455, section 7.4, that this module sends or reports.
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseProtocol    = 1002
	CloseUnsupported = 1003
	CloseNoStatus    = 1005 // never on the wire: a close frame without a code
	CloseAbnormal    = 1006 // never on the wire: no close frame
	CloseNotUTF8     = 1007
	ClosePolicy      = 1008
	CloseTooBig      = 1009
)

// maxControl is the longest payload of a control frame, in bytes.
const maxControl = 125

// Error says what a client did wrong, and the code to close with. Reason never
// holds what the client sent.
type Error struct {
	Code   int
	Reason string
}

// Error returns the reason and the code.
func (e *Error) Error() string { return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code) }

func violation(reason string) error { return &Error{CloseProtocol, reason} }
