package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// readBuffer is how much is read at once, for all sockets.
const readBuffer = 64 << 10

// readers is the process that holds the clients' ends of the sockets. One
// goroutine and one epoll read them all: it must cost less than any server.
type readers struct {
	epoll   int
	sockets int
	files   int // more than the highest descriptor

	current atomic.Pointer[expectation]
	pings   atomic.Pointer[pings] // of a server that pings; nil: it does not
	failure chan error            // the first

	ids atomic.Int64 // of sockets over TLS
	mu  sync.Mutex   // of what they take
}

// expectation is what all sockets are to receive.
type expectation struct {
	want []byte        // by each socket
	got  []int         // bytes of it, by descriptor
	left int           // sockets that have not got all
	cpu  time.Duration // of this process when it began
	done chan time.Time

	// Instead of want, when the server wraps its messages: then got counts them.
	wrapped [][]byte
	partial [][]byte // what has come of a frame, by descriptor
}

func runReaders(in io.Reader, out io.Writer) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	r := &readers{epoll: epoll, files: int(limit.Cur), failure: make(chan error, 1)}
	go r.read() // It ends with the process.
	return obey(in, out, r.do)
}

func (r *readers) do(c command) (answer, error) {
	var a answer
	var err error
	switch c.Do {
	case "dial":
		if strings.HasPrefix(c.Kind, kindPinged) && r.pings.Load() == nil {
			r.pings.Store(&pings{got: make([]int, r.files)})
		}
		err = r.dial(c.Address, c.Kind, c.Sockets)
	case "rush": // at once
		err = rush(c.Address, c.Sockets)
	case "expect": // the messages of one broadcast, on all sockets
		e := &expectation{
			want: stream(c.Messages),
			got:  make([]int, r.files),
			left: r.sockets,
			done: make(chan time.Time, 1),
		}
		if c.Kind == kindRoom {
			e.want = roomStream(c.Messages)
		}
		if c.Kind == kindCentrifuge {
			e.wrapped, e.partial = make([][]byte, c.Messages), make([][]byte, r.files)
			for i := range e.wrapped {
				e.wrapped[i] = wrapped(i)
			}
		}
		e.cpu = cpuUsed()
		r.current.Store(e)
	case "wait": // CPU is what reading took, At when the last byte was read
		return r.wait()
	case "pings": // so many of them, on all sockets
		p := r.pings.Load()
		if p == nil {
			return a, errors.New("nothing is pinged")
		}
		return p.await(c.Messages, r.sockets, r.failure)
	case "failure": // if there has been one
		select {
		case err = <-r.failure:
		default:
		}
	default:
		err = errors.New("no such command")
	}
	a.CPU, a.At = cpuUsed(), time.Now()
	return a, err
}

func (r *readers) wait() (answer, error) {
	e := r.current.Load()
	if e == nil {
		return answer{}, errors.New("nothing is expected")
	}
	select {
	case at := <-e.done:
		return answer{At: at, CPU: cpuUsed() - e.cpu}, nil
	case err := <-r.failure:
		return answer{}, err
	case <-time.After(time.Minute):
		return answer{}, errors.New("not everything has arrived within a minute")
	}
}

// read reads all sockets until the process ends.
func (r *readers) read() {
	events := make([]syscall.EpollEvent, 256)
	buf := make([]byte, readBuffer)
	for {
		n, err := syscall.EpollWait(r.epoll, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			r.fail(fmt.Errorf("epoll: %w", err))
			return
		}
		for _, ev := range events[:max(n, 0)] {
			n, err := syscall.Read(int(ev.Fd), buf)
			switch {
			case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
			case err != nil:
				r.fail(fmt.Errorf("read: %w", err))
				return
			case n == 0:
				r.fail(errors.New("the server has closed a socket"))
				return
			default:
				if err := r.take(int(ev.Fd), buf[:n]); err != nil {
					r.fail(err)
					return
				}
			}
		}
	}
}

// take compares what was read with what is expected. id is the descriptor, or
// another number that no other socket has.
func (r *readers) take(id int, b []byte) error {
	if p := r.pings.Load(); p != nil {
		return p.take(id, b)
	}
	e := r.current.Load()
	if e == nil {
		return fmt.Errorf("%d bytes that nobody expects", len(b))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.wrapped != nil {
		if err := e.takeWrapped(id, b); err != nil || e.got[id] < len(e.wrapped) {
			return err
		}
		e.arrived()
		return nil
	}
	at := e.got[id]
	if at+len(b) > len(e.want) || !bytes.Equal(b, e.want[at:at+len(b)]) {
		return fmt.Errorf("%d bytes at %d are not what was sent", len(b), at)
	}
	e.got[id] += len(b)
	if e.got[id] == len(e.want) {
		e.arrived()
	}
	return nil
}

// arrived takes note of a socket that has got all.
func (e *expectation) arrived() {
	if e.left--; e.left == 0 {
		e.done <- time.Now()
	}
}

func (r *readers) fail(err error) {
	select {
	case r.failure <- err:
	default:
	}
}
