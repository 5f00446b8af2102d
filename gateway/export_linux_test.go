package gateway

import (
	"syscall"
	"unsafe"
)

// BreakPoller has every later attempt to park a socket fail, as where the system
// watches no more descriptors.
func (g *Gateway) BreakPoller() {
	g.poller.mu.Lock()
	defer g.poller.mu.Unlock()
	g.poller.epoll = -1
}

// Polled is how many sockets the poller has.
func (g *Gateway) Polled() int {
	g.poller.mu.Lock()
	defer g.poller.mu.Unlock()
	return g.poller.size
}

// Parked reports whether no goroutine reads the socket.
func (g *Gateway) Parked(id string) bool { return g.hub.get(id).rest.Load() == parked }

// Unread is how many bytes of the socket the system holds.
func (g *Gateway) Unread(id string) (n int) {
	var held int32
	_ = g.hub.get(id).polled.Control(func(fd uintptr) {
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&held)))
	})
	return int(held)
}
