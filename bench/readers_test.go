package main

import (
	"encoding/binary"
	"testing"
	"time"
)

// expecting returns readers of two sockets, with descriptors 0 and 1, that are
// to receive messages.
func expecting(messages int) (*readers, *expectation) {
	r := &readers{sockets: 2, files: 2}
	e := &expectation{want: stream(messages), got: make([]int, 2), left: 2, done: make(chan time.Time, 1)}
	r.current.Store(e)
	return r, e
}

func TestAllIsReadOnlyWithTheLastByte(t *testing.T) {
	r, e := expecting(3)
	if len(e.want) != 3*frameSize {
		t.Fatalf("the stream has %d bytes", len(e.want))
	}
	for fd := range 2 {
		for at := 0; at < len(e.want); at += 7 {
			select {
			case <-e.done:
				t.Fatalf("done before byte %d of socket %d", at, fd)
			default:
			}
			if err := r.take(fd, e.want[at:min(at+7, len(e.want))]); err != nil {
				t.Fatal(err)
			}
		}
	}
	select {
	case <-e.done:
	default:
		t.Fatal("not done")
	}
}

func TestWhatWasNotSentIsRefused(t *testing.T) {
	frame := stream(1)
	changed := append([]byte(nil), frame...)
	changed[len(changed)-2]++
	for name, reads := range map[string][][]byte{
		"changed":      {changed},
		"too much":     {frame, frame[:1]},
		"out of order": {stream(2)[frameSize:]},
		"too early":    {frame[1:]},
	} {
		r, _ := expecting(1)
		var err error
		for _, b := range reads {
			if err == nil {
				err = r.take(0, b)
			}
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := new(readers).take(0, frame); err == nil {
		t.Error("bytes that nobody expects are taken")
	}
}

// What a server wraps may come in any parts, and several messages in a frame.
func TestWrappedMessagesAreUnwrapped(t *testing.T) {
	frame := func(numbers ...int) []byte {
		var payload []byte
		for _, n := range numbers {
			payload = append(append(payload, wrapped(n)...), '\n')
		}
		return append(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(payload))), payload...)
	}
	expecting := func() *expectation {
		return &expectation{wrapped: [][]byte{wrapped(0), wrapped(1), wrapped(2)}, got: make([]int, 1), partial: make([][]byte, 1)}
	}
	for _, size := range []int{1, 7, 1000} {
		e, sent := expecting(), append(frame(0), frame(1, 2)...)
		for at := 0; at < len(sent); at += size {
			if e.got[0] == 3 {
				t.Fatalf("done before byte %d", at)
			}
			if err := e.takeWrapped(0, sent[at:min(at+size, len(sent))]); err != nil {
				t.Fatal(err)
			}
		}
		if e.got[0] != 3 {
			t.Errorf("in parts of %d: %d messages", size, e.got[0])
		}
	}
	for name, sent := range map[string][]byte{
		"out of order": frame(1), "too many": frame(0, 1, 2, 3), "no text": {0x82, 1, 'x'}, "empty": {0x81, 0},
	} {
		if err := expecting().takeWrapped(0, sent); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A channel's frames are those that the pusher makes: the readers compare each
// byte, so that a smoke run would fail else. Here is what they look like.
func TestFramesOfAChannelTellWhereTheyAreFrom(t *testing.T) {
	frame := roomStream(2)
	payload, rest, err := cutFrame(frame)
	want := `{"type":"message","channel":"all","id":"m0","data":` + string(message(0)) + `}`
	if err != nil || string(payload) != want || len(rest) != len(payload)+4 {
		t.Errorf("%s, %d bytes behind it, %v; want %s", payload, len(rest), err, want)
	}
}
