package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// CloseFrame returns a server's close frame. Code [CloseNoStatus] makes one
// without a code; a reason over 123 bytes is cut at a character.
func CloseFrame(code int, reason string) []byte {
	if code == CloseNoStatus {
		return Frame(Close, nil)
	}
	if len(reason) > maxControl-2 {
		cut := maxControl - 2
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, maxControl), uint16(code))
	return Frame(Close, append(payload, reason...))
}

// ParseClose reads the payload of a close frame. The code is [CloseNoStatus]
// for an empty one. An [*Error] is returned for a code that must not be sent,
// half a code, or a reason that is not UTF-8.
func ParseClose(payload []byte) (code int, reason string, err error) {
	switch len(payload) {
	case 0:
		return CloseNoStatus, "", nil
	case 1:
		return 0, "", violation("close frame with half a code")
	}
	code = int(binary.BigEndian.Uint16(payload))
	if !sendable(code) {
		return 0, "", violation("close code that must not be sent")
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", &Error{CloseNotUTF8, "close reason is not UTF-8"}
	}
	return code, string(payload[2:]), nil
}

// sendable reports whether a close frame may carry code: those of RFC 6455,
// the ones registered with IANA since (1012 to 1014), and the private ranges.
func sendable(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}
