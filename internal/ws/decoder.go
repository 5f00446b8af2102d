package ws

import (
	"math"
	"sync"
)

// Event is a whole message (Text) or a control frame (Ping, Pong, Close).
// Opcode [Continuation] stands for none.
type Event struct {
	Opcode  Opcode
	Payload []byte // unmasked; valid until the next call of [Decoder.Next]
}

// Decoder turns the bytes of one client into events. It takes bytes as they
// come, in parts of any size, and holds no buffer between messages. Its zero
// value has no limits.
type Decoder struct {
	MaxMessage int // payload of a message in bytes, over all its frames; 0: no limit
	MaxFrame   int // payload of one data frame in bytes, as it was sent; 0: no limit

	// Deflate says that [AcceptDeflate] accepted the client's offer: its messages
	// may be compressed. They are whole and decompressed in events.
	Deflate bool

	head  [MaxHeader]byte // the part of a header that has come
	nhead int

	inFrame bool // a header has come, but not all of its payload
	final   bool // this frame is
	opcode  Opcode
	deflate bool // the message that has begun is compressed
	key     uint32
	left    int // bytes of this frame's payload still to come

	begun   bool // a data message has begun and not ended
	message *buffer
	valid   int // bytes of message that are known to be UTF-8
	used    bool
	control []byte // the part of a control frame's payload that has come
}

// buffer holds what has come of a message that is not whole.
type buffer struct{ b []byte }

// Pooled, because a message in parts is rare: nobody should keep 128 KB for it.
var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4096)} }}

// Partial reports whether a message or a frame has begun and not ended.
func (d *Decoder) Partial() bool { return d.nhead > 0 || d.inFrame || d.begun }

// Next reads from in, which it changes, up to the end of the first event. It
// returns the event and how many bytes it took. Without an event it took all
// of in and wants more. An [*Error] is final: the rest cannot be read.
func (d *Decoder) Next(in []byte) (Event, int, error) {
	if d.used {
		d.Release()
	}
	n := 0
	for {
		if !d.inFrame {
			h, size, err := d.header(in[n:])
			if err == nil && size > 0 {
				err = d.begin(h)
			}
			if err != nil {
				return Event{}, n, err
			}
			if size == 0 {
				return Event{}, len(in), nil
			}
			n += size
		}
		part := in[n:min(len(in), n+d.left)]
		n += len(part)
		d.left -= len(part)
		d.key = Mask(part, d.key)
		ev, err := d.payload(part)
		if err != nil || ev.Opcode != Continuation || d.left > 0 {
			return ev, n, err
		}
	}
}

// Release gives back what the decoder holds. It must be called when no more
// bytes will come; the decoder is of no use afterwards.
func (d *Decoder) Release() {
	if d.message != nil {
		d.message.b = d.message.b[:0]
		buffers.Put(d.message)
		d.message = nil
	}
	d.valid, d.used = 0, false
}

// header reads a header that may have begun in an earlier part. It returns how
// many bytes of in belong to it; 0 when it is not whole.
func (d *Decoder) header(in []byte) (Header, int, error) {
	before := d.nhead
	b := in
	if before > 0 {
		b = d.head[:before+copy(d.head[before:], in)]
	}
	h, size, err := ParseHeader(b)
	if err != nil {
		return h, 0, err
	}
	if size == 0 {
		d.nhead += copy(d.head[before:], in)
		return h, 0, nil
	}
	d.nhead = 0
	return h, size - before, nil
}

// begin checks a header against the protocol, the state and the limits.
func (d *Decoder) begin(h Header) error {
	switch {
	case h.RSV != 0 && !d.mayDeflate(h):
		return violation("reserved bit is set")
	case !h.Opcode.known():
		return violation("unknown opcode")
	case !h.Masked:
		return violation("frame is not masked")
	case h.Opcode.Control():
		if !h.Fin || h.Length > maxControl {
			return violation("control frame is fragmented or too long")
		}
	case h.Opcode == Continuation && !d.begun:
		return violation("continuation of nothing")
	case h.Opcode != Continuation && d.begun:
		return violation("message begins within a message")
	case h.Opcode == Binary:
		return &Error{CloseUnsupported, "binary messages are not supported"}
	case d.MaxFrame > 0 && h.Length > uint64(d.MaxFrame):
		return &Error{CloseTooBig, "frame too big"}
	case h.Length > math.MaxInt || d.MaxMessage > 0 && h.Length > uint64(d.limit(h)-d.size()):
		return &Error{CloseTooBig, "message too big"}
	default:
		d.begun, d.deflate = true, d.deflate || h.RSV != 0
	}
	d.inFrame, d.final, d.opcode = true, h.Fin, h.Opcode
	d.key, d.left = h.Key, int(h.Length)
	return nil
}

// mayDeflate reports whether a frame's reserved bits mark a compressed message.
func (d *Decoder) mayDeflate(h Header) bool {
	return d.Deflate && h.RSV == rsv1 && (h.Opcode == Text || h.Opcode == Binary)
}

// limit is how much of the message may come. Compressed it may be a little
// longer than it is: what zlib makes of bytes that cannot be compressed.
func (d *Decoder) limit(h Header) int {
	if d.deflate || h.RSV != 0 {
		return d.MaxMessage + d.MaxMessage/32 + 64
	}
	return d.MaxMessage
}

// size is how much of the message has come.
func (d *Decoder) size() int {
	if d.message == nil {
		return 0
	}
	return len(d.message.b)
}

// payload takes a part of the payload, unmasked, and returns what it completes.
func (d *Decoder) payload(part []byte) (Event, error) {
	d.inFrame = d.left > 0
	if d.opcode.Control() {
		if d.inFrame || len(d.control) > 0 {
			d.control = append(d.control, part...)
			part = d.control
		}
		if d.inFrame {
			return Event{}, nil
		}
		d.control = nil
		return Event{d.opcode, part}, nil
	}
	end := d.final && !d.inFrame
	if !end || d.message != nil {
		if d.message == nil {
			d.message = buffers.Get().(*buffer)
		}
		d.message.b = append(d.message.b, part...)
		part = d.message.b
	}
	if d.deflate {
		if !end {
			return Event{}, nil
		}
		var err error
		if part, err = d.inflate(part); err != nil {
			return Event{}, err
		}
	}
	// Checked as it comes, so that a long message fails at its first bad byte.
	n, ok := validPrefix(part[d.valid:])
	d.valid += n
	if !ok || end && d.valid < len(part) {
		return Event{}, &Error{CloseNotUTF8, "text is not UTF-8"}
	}
	if !end {
		return Event{}, nil
	}
	d.begun, d.used, d.deflate = false, true, false
	return Event{Text, part}, nil
}

// inflate decompresses a whole message. The result is in d.message.
func (d *Decoder) inflate(data []byte) ([]byte, error) {
	most := d.MaxMessage
	if most == 0 {
		most = math.MaxInt - 1
	}
	plain := buffers.Get().(*buffer)
	b, err := inflate(plain.b, data, most)
	d.Release() // Of what data may be a part.
	plain.b, d.message = b, plain
	return b, err
}
