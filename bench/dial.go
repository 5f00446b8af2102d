package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// dialers is how many handshakes are under way at a time.
const dialers = 32

// dial opens more sockets. Each is of a user of its own.
func (r *readers) dial(address, kind string, more int) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, dialers)
	for i := range dialers {
		wg.Go(func() {
			for errs[i] == nil {
				n := int(next.Add(1))
				if n > more {
					return
				}
				if _, secure := plainKind(kind); secure {
					errs[i] = r.openTLS(address, kind, r.sockets+n)
					continue
				}
				errs[i] = r.open(addr, kind, r.sockets+n)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.sockets += more
	return nil
}

// open dials one socket, with system calls that wait and no buffers of its own:
// it is handed to the epoll when the server has answered.
func (r *readers) open(to netip.AddrPort, kind string, user int) (err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer func() {
		if err != nil {
			_ = syscall.Close(fd)
		}
	}()
	wait := syscall.Timeval{Sec: 20}
	for _, opt := range []int{syscall.SO_RCVTIMEO, syscall.SO_SNDTIMEO} {
		if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, opt, &wait); err != nil {
			return fmt.Errorf("timeout: %w", err)
		}
	}
	if err := handshake(fd, to, user); err != nil {
		return err
	}
	if err := greet(fd, kind); err != nil {
		return err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return err
	}
	return syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_ADD, fd,
		&syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

func handshake(fd int, to netip.AddrPort, user int) error {
	sa := &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	if err := again(func() error { return syscall.Connect(fd, sa) }); err != nil && !errors.Is(err, syscall.EISCONN) {
		return fmt.Errorf("connect: %w", err)
	}
	if err := send(fd, []byte(request(to.String(), user))); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	var response []byte
	buf := make([]byte, 1024)
	for !bytes.Contains(response, []byte("\r\n\r\n")) {
		n, err := receive(fd, buf)
		if err != nil {
			return fmt.Errorf("response %q: %w", response, err)
		}
		response = append(response, buf[:n]...)
	}
	if s := string(response); !strings.HasPrefix(s, "HTTP/1.1 101 ") || !strings.HasSuffix(s, "\r\n\r\n") {
		return fmt.Errorf("response is %q", response)
	}
	return nil
}

// greet sends what a server with a protocol of its own waits for.
func greet(fd int, kind string) error {
	h := hello(kind)
	if h == nil {
		return nil
	}
	if err := send(fd, h); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	var got []byte
	buf := make([]byte, 1024)
	for {
		n, err := receive(fd, buf)
		if err != nil {
			return fmt.Errorf("answer to hello: %w", err)
		}
		got = append(got, buf[:n]...)
		payload, rest, err := cutFrame(got)
		if err != nil || payload == nil {
			if err != nil {
				return err
			}
			continue
		}
		if len(rest) > 0 {
			return fmt.Errorf("%d bytes behind the answer to hello", len(rest))
		}
		return greeted(payload)
	}
}

func request(address string, user int) string {
	return fmt.Sprintf("GET /?user=u%d HTTP/1.1\r\nHost: %s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", user, address)
}

func send(fd int, b []byte) error {
	return again(func() error {
		n, err := syscall.Write(fd, b)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		return err
	})
}

func receive(fd int, b []byte) (n int, err error) {
	err = again(func() (err error) {
		n, err = syscall.Read(fd, b)
		return err
	})
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// again repeats a system call that a signal has cut short: the runtime sends
// some to its threads.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
