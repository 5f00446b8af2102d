package main

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// socketPair returns two ends of a connection.
func socketPair(t *testing.T) (ours, theirs int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(syscall.Close(fds[0]), syscall.Close(fds[1])) })
	return fds[0], fds[1]
}

func TestEachPingIsAnswered(t *testing.T) {
	fd, server := socketPair(t)
	r := new(readers)
	p := &pings{got: make([]int, fd+1)}
	r.pings.Store(p)
	if err := r.take(fd, append(pingFrame, pingFrame...)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := receive(server, b)
	if want := append(pongFrame, pongFrame...); err != nil || !bytes.Equal(b[:n], want) {
		t.Errorf("answered with %x, %v; want %x", b[:n], err, want)
	}
	for _, b := range [][]byte{stream(1), append(pingFrame, 0x81), {0x89, 1, 'x'}} {
		if err := r.take(fd, b); err == nil {
			t.Errorf("%.8x: no error", b)
		}
	}
}

func TestPingsAreAwaitedOnEachSocket(t *testing.T) {
	type result struct {
		a   answer
		err error
	}
	for name, c := range map[string]struct {
		pinged  []int // descriptors
		failure error
		count   int64
		want    string // in the error
	}{
		"each twice":  {pinged: []int{0, 0, 0, 1, 1}, count: 5},
		"one once":    {pinged: []int{0, 0, 0, 1}, want: "not every socket"},
		"not at all":  {want: "not every socket"},
		"then closed": {pinged: []int{0, 0, 1}, failure: errors.New("closed"), want: "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, failure, done := &pings{got: []int{7, 7}}, make(chan error, 1), make(chan result, 1)
				go func() {
					a, err := p.await(2, 2, failure)
					done <- result{a, err}
				}()
				synctest.Wait()
				for _, fd := range c.pinged {
					p.answered(fd)
				}
				if c.failure != nil {
					failure <- c.failure
				}
				switch got := <-done; {
				case c.want == "" && (got.err != nil || got.a.Count != c.count || got.a.At.IsZero()):
					t.Errorf("%+v; want %d pings", got, c.count)
				case c.want != "" && (got.err == nil || !strings.Contains(got.err.Error(), c.want)):
					t.Errorf("%+v; want an error that says %q", got, c.want)
				}
			})
		})
	}
}
