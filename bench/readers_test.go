package main

import (
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
