package gateway

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// poller waits for the bytes of all idle sockets at once, so that none of them
// needs a goroutine, and a stack, to wait in. Go's own poller, which watches
// the same descriptors for their writers, watches the epoll of this one as well:
// no thread is blocked in it.
//
// It lives while there are sockets, as the wheel does.
type poller struct {
	group *group

	mu      sync.Mutex
	file    *os.File
	epoll   int       // the file's descriptor: it stays while a socket is in
	size    int       // sockets that are in
	sockets []*socket // by descriptor
}

// enter takes a socket in; leave must follow. It returns false when the system
// has no epoll to give: the socket then waits in a goroutine.
func (p *poller) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size == 0 && !p.start() {
		return false
	}
	p.size++
	return true
}

// start is called with mu held.
func (p *poller) start() bool {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	_ = syscall.SetNonblock(fd, true) // Go's poller takes no others.
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil || file.SetReadDeadline(time.Time{}) != nil { // Go's poller does not have it.
		_ = file.Close()
		return false
	}
	p.file, p.epoll = file, fd
	p.group.add()
	go p.run(raw)
	return true
}

// leave is called once the socket's connection is closed.
func (p *poller) leave(s *socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd := int(s.fd); fd < len(p.sockets) && p.sockets[fd] == s {
		p.sockets[fd] = nil
	}
	if p.size--; p.size == 0 {
		_ = p.file.Close() // It ends run.
		p.file, p.sockets = nil, nil
	}
}

func (p *poller) run(raw syscall.RawConn) {
	defer p.group.done()
	events := make([]syscall.EpollEvent, 128)
	woken := make([]*socket, 0, len(events))
	n := 0
	wait := func(fd uintptr) bool {
		n, _ = syscall.EpollWait(int(fd), events, 0)
		return n > 0
	}
	for raw.Read(wait) == nil {
		p.mu.Lock()
		for _, ev := range events[:n] {
			if fd := int(ev.Fd); fd < len(p.sockets) && p.sockets[fd] != nil {
				woken = append(woken, p.sockets[fd])
			}
		}
		p.mu.Unlock()
		for _, s := range woken {
			s.wake()
		}
		clear(woken)
		woken = woken[:0]
	}
}

// arm has a socket woken once, as soon as there is something to read or its
// connection is lost. The caller sees to it that fd is not closed meanwhile.
func (p *poller) arm(s *socket, fd int) bool {
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLONESHOT, Fd: int32(fd)}
	if s.fd == int32(fd) {
		return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_MOD, fd, &ev) == nil
	}
	s.fd = int32(fd)
	p.mu.Lock()
	if fd >= len(p.sockets) {
		more := make([]*socket, max(fd+1, 2*len(p.sockets), 64))
		copy(more, p.sockets)
		p.sockets = more
	}
	p.sockets[fd] = s
	p.mu.Unlock()
	return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &ev) == nil
}
