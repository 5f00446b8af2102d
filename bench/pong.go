package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The frames of a ping of ours, which has no payload, and of the answer, which is
// masked with zeroes.
var (
	pingFrame = []byte{0x89, 0}
	pongFrame = []byte{0x8a, 0x80, 0, 0, 0, 0}
)

// pingLimit is how long pings are waited for: longer than they take when each
// comes 25 s behind the one before.
const pingLimit = 2 * time.Minute

// pings answers what a server pings, and counts it.
type pings struct {
	mu    sync.Mutex
	got   []int // by descriptor
	want  int   // of each
	left  int   // sockets that have not got so many
	total int64
	done  chan time.Time
}

// take answers the pings that have come to a socket. Nothing else may have.
func (p *pings) take(fd int, b []byte) error {
	for ; len(b) > 0; b = b[len(pingFrame):] {
		if !bytes.HasPrefix(b, pingFrame) {
			return fmt.Errorf("%d bytes that are no ping", len(b))
		}
		if err := send(fd, pongFrame); err != nil {
			return fmt.Errorf("pong: %w", err)
		}
		p.answered(fd)
	}
	return nil
}

func (p *pings) answered(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	p.got[fd]++
	if p.got[fd] == p.want {
		if p.left--; p.left == 0 {
			p.done <- time.Now()
		}
	}
}

// await waits until each of so many sockets has been pinged want times from now on.
// Count is how many pings that were, with those beyond.
func (p *pings) await(want, sockets int, failure <-chan error) (answer, error) {
	p.mu.Lock()
	clear(p.got)
	p.want, p.left, p.total, p.done = want, sockets, 0, make(chan time.Time, 1)
	p.mu.Unlock()
	select {
	case at := <-p.done:
		p.mu.Lock()
		defer p.mu.Unlock()
		return answer{At: at, Count: p.total}, nil
	case err := <-failure:
		return answer{}, err
	case <-time.After(pingLimit):
		return answer{}, errors.New("not every socket has been pinged in time")
	}
}
