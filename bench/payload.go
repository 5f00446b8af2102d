package main

import (
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
	var b []byte
	for i := range messages {
		b = appendFrame(b, message(i))
	}
	return b
}

// roomStream is the same of messages to a channel of ours, whose members are
// told where each is from.
func roomStream(messages int) []byte {
	var b []byte
	for i := range messages {
		b = appendFrame(b, fmt.Appendf(nil, `{"type":"message","channel":%q,"id":%q,"data":%s}`, room, roomID(i), message(i)))
	}
	return b
}

// roomID is the id of a message to a channel, so that readers know it.
func roomID(number int) string { return fmt.Sprintf("m%d", number) }

// appendFrame adds an unmasked text frame with a length of 16 bits.
func appendFrame(b, text []byte) []byte {
	b = append(b, 0x81, 126)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}
