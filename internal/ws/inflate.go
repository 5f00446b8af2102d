package ws

import (
	"compress/flate"
	"io"
	"slices"
	"sync"
)

// inflateTail is put behind what a client sent: what its compressor flushed and
// it left out, and an empty last block, so that the end is found to be one.
const inflateTail = flushTail + "\x01\x00\x00\xff\xff"

const (
	// maxFinal is how many blocks of a message may say that they are the last.
	// RFC 7692 allows any number; nobody needs more than one, and each costs the
	// copy of a window.
	maxFinal = 64

	windowSize = 32 << 10
)

// inflater is some 43 KB, of which 32 KB are the window.
type inflater struct {
	r    io.ReadCloser // a [flate.Resetter]
	data []byte        // what is still to be read, and
	tail string        // what behind it
}

var inflaters = sync.Pool{New: func() any {
	z := &inflater{}
	z.r = flate.NewReader(z)
	return z
}}

// Read is that of [io.Reader], for r.
func (z *inflater) Read(b []byte) (int, error) {
	n := copy(b, z.data)
	z.data = z.data[n:]
	m := copy(b[n:], z.tail)
	z.tail = z.tail[m:]
	if n+m == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n + m, nil
}

// ReadByte is that of [io.ByteReader]. With it r reads nothing too early.
func (z *inflater) ReadByte() (byte, error) {
	if len(z.data) > 0 {
		c := z.data[0]
		z.data = z.data[1:]
		return c, nil
	}
	if z.tail == "" {
		return 0, io.EOF
	}
	c := z.tail[0]
	z.tail = z.tail[1:]
	return c, nil
}

// inflate appends a message to dst, which is empty. It grows dst for no
// more than most+1 bytes. An [*Error] is returned for one that is longer than
// most or cannot be decompressed.
func inflate(dst, data []byte, most int) ([]byte, error) {
	if len(data) == 0 {
		return dst, nil // There should be one byte, but it is clear what is meant.
	}
	z := inflaters.Get().(*inflater)
	defer func() {
		z.data, z.tail = nil, ""
		inflaters.Put(z)
	}()
	z.data, z.tail = data, inflateTail
	z.reset(nil)
	for final := 0; ; {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(max(len(dst), 4<<10), most+1-len(dst)))
		}
		n, err := z.r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > most:
			return dst, &Error{CloseTooBig, "message too big"}
		case err == io.EOF:
			if z.atEnd() {
				return dst, nil
			}
			// A last block that is not the last: the next begins with the next
			// byte (section 7.2.1), and may refer to what came before.
			if final++; len(z.data) == 0 || final == maxFinal {
				return dst, errInflate
			}
			z.reset(dst[max(0, len(dst)-windowSize):])
		case err != nil:
			return dst, errInflate
		}
	}
}

var errInflate = &Error{CloseNotUTF8, "message cannot be decompressed"}

func (z *inflater) reset(window []byte) {
	_ = z.r.(flate.Resetter).Reset(z, window) // That of compress/flate does not fail.
}

// atEnd reports whether r came to its end where the message does: behind our
// empty block or, where the message's last one says that it is the last, before
// or behind what the client left out.
func (z *inflater) atEnd() bool {
	switch len(z.data) + len(z.tail) {
	case 0, len(inflateTail) - len(flushTail), len(inflateTail):
		return true
	}
	return false
}
