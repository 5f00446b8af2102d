package ws

import "unicode/utf8"

// Frame returns a server's frame: final and not masked. It may be written to
// any number of sockets.
func Frame(op Opcode, payload []byte) []byte {
	b := make([]byte, 0, 10+len(payload))
	return appendFrame(b, op, true, payload)
}

// TextFrames returns a server's text message in frames of at most size bytes of
// payload, one behind the other; size 0: one frame. It is cut between
// characters, for clients that decode each frame by itself, so text must be
// UTF-8 and size at least 4.
func TextFrames(text []byte, size int) []byte {
	if size == 0 || len(text) <= size {
		return Frame(Text, text)
	}
	// A cut gives up 3 bytes at most.
	b := make([]byte, 0, len(text)+(len(text)/(size-3)+1)*10)
	op := Text
	for len(text) > size {
		cut := size
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		b = appendFrame(b, op, false, text[:cut])
		op, text = Continuation, text[cut:]
	}
	return appendFrame(b, op, true, text)
}

func appendFrame(dst []byte, op Opcode, fin bool, payload []byte) []byte {
	dst = AppendHeader(dst, Header{Fin: fin, Opcode: op, Length: uint64(len(payload))})
	return append(dst, payload...)
}
