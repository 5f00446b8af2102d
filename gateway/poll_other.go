//go:build !linux

package gateway

// poller is there on Linux only: elsewhere each socket waits in a goroutine.
type poller struct{ group *group }

func (p *poller) enter() bool { return false }

func (p *poller) leave(*socket) {}

func (p *poller) arm(*socket, int) bool { return false }
