package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// messageSize is the size of every message, in bytes.
const messageSize = 200

// frameSize is that of its frame: an unmasked text frame with a length of 16
// bits.
const frameSize = 4 + messageSize

// message returns the message with a number: a JSON string.
func message(number int) []byte {
	m := fmt.Appendf(nil, `"%08d%s"`, number, strings.Repeat("x", messageSize-10))
	if len(m) != messageSize {
		panic(fmt.Sprintf("message has %d bytes", len(m)))
	}
	return m
}

// stream is what each socket receives of a broadcast of so many messages.
func stream(messages int) []byte {
	var b bytes.Buffer
	for i := range messages {
		b.Write([]byte{0x81, 126})
		b.Write(binary.BigEndian.AppendUint16(nil, messageSize))
		b.Write(message(i))
	}
	return b.Bytes()
}
