package ws

import (
	"encoding/binary"
	"math"
)

// MaxHeader is the longest frame header, in bytes.
const MaxHeader = 14

// Header is the header of a frame.
type Header struct {
	Fin    bool
	RSV    byte // the three reserved bits, 0 to 7
	Opcode Opcode
	Masked bool
	Key    uint32 // the mask, its first byte lowest
	Length uint64 // of the payload
}

// ParseHeader reads the header at the beginning of b and returns its size;
// 0 when b holds only a part of it. An [*Error] is returned for a length that
// is not written in the shortest way, or has its highest bit set.
func ParseHeader(b []byte) (Header, int, error) {
	if len(b) < 2 {
		return Header{}, 0, nil
	}
	h := Header{
		Fin:    b[0]&0x80 != 0,
		RSV:    b[0] >> 4 & 0x7,
		Opcode: Opcode(b[0] & 0xF),
		Masked: b[1]&0x80 != 0,
		Length: uint64(b[1] & 0x7F),
	}
	size, shortest := 2, uint64(0)
	switch h.Length {
	case 126:
		size, shortest = 4, 126
	case 127:
		size, shortest = 10, math.MaxUint16+1
	}
	if len(b) < size {
		return Header{}, 0, nil
	}
	switch size {
	case 4:
		h.Length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 10:
		h.Length = binary.BigEndian.Uint64(b[2:])
	}
	if h.Length < shortest || h.Length > math.MaxInt64 {
		return Header{}, 0, violation("bad frame length")
	}
	if h.Masked {
		if len(b) < size+4 {
			return Header{}, 0, nil
		}
		h.Key = binary.LittleEndian.Uint32(b[size:])
		size += 4
	}
	return h, size, nil
}

// AppendHeader appends a header as it goes on the wire.
func AppendHeader(dst []byte, h Header) []byte {
	first := byte(h.Opcode)&0xF | h.RSV&0x7<<4
	if h.Fin {
		first |= 0x80
	}
	var masked byte
	if h.Masked {
		masked = 0x80
	}
	switch {
	case h.Length < 126:
		dst = append(dst, first, masked|byte(h.Length))
	case h.Length <= math.MaxUint16:
		dst = append(dst, first, masked|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(h.Length))
	default:
		dst = append(dst, first, masked|127)
		dst = binary.BigEndian.AppendUint64(dst, h.Length)
	}
	if h.Masked {
		dst = binary.LittleEndian.AppendUint32(dst, h.Key)
	}
	return dst
}
