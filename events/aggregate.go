package events

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
)

// aggregateMagic begins a record of the Kinesis Producer Library that holds
// several: then comes a protobuf message and its MD5. (aggregation-format.md of
// amazon-kinesis-producer, read 2026-11.)
var aggregateMagic = []byte{0xf3, 0x89, 0x9a, 0xc2}

var errAggregate = invalid("record looks like an aggregate of the Kinesis Producer Library, but is damaged")

// The fields of the protobuf message that are read: the records of an
// aggregate, and the data of a record.
const (
	fieldRecords = 3
	fieldData    = 3
)

// disaggregate returns the data of the records in an aggregate, which share its
// memory.
func disaggregate(data []byte) ([][]byte, error) {
	body := data[len(aggregateMagic):]
	if len(body) < md5.Size {
		return nil, errAggregate
	}
	body, sum := body[:len(body)-md5.Size], body[len(body)-md5.Size:]
	if want := md5.Sum(body); !bytes.Equal(sum, want[:]) {
		return nil, errAggregate
	}
	var parts [][]byte
	ok := eachField(body, fieldRecords, func(record []byte) bool {
		var part []byte
		read := eachField(record, fieldData, func(data []byte) bool {
			part = data
			return true
		})
		parts = append(parts, part)
		return read && part != nil
	})
	if !ok {
		return nil, errAggregate
	}
	return parts, nil
}

// eachField calls f with every occurrence of a field of bytes, and reports
// whether the message could be read.
func eachField(message []byte, field uint64, f func(value []byte) bool) bool {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return false
		}
		message = message[n:]
		switch number, wire := tag>>3, tag&7; wire {
		case 0: // a number
			if _, n = binary.Uvarint(message); n <= 0 {
				return false
			}
			message = message[n:]
		case 2: // bytes
			size, n := binary.Uvarint(message)
			if n <= 0 || size > uint64(len(message)-n) {
				return false
			}
			value := message[n : n+int(size) : n+int(size)]
			message = message[n+int(size):]
			if number == field && !f(value) {
				return false
			}
		default: // No field of this format is of another kind.
			return false
		}
	}
	return true
}
