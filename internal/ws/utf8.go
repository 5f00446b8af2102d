package ws

import "unicode/utf8"

// validPrefix returns how many bytes at the beginning of b are whole, valid
// characters, when all that follows may still become one. ok is false when
// nothing that comes later can make b valid.
func validPrefix(b []byte) (n int, ok bool) {
	// A character has at most 4 bytes, so one that is not whole yet begins
	// among the last 3.
	for i := len(b) - 1; i >= max(0, len(b)-3); i-- {
		if !utf8.RuneStart(b[i]) {
			continue
		}
		if !utf8.FullRune(b[i:]) {
			return i, utf8.Valid(b[:i])
		}
		break
	}
	return len(b), utf8.Valid(b)
}
