package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// session is what one server showed in one round: it was started, filled with
// sockets, left idle, and made to broadcast.
type session struct {
	connect float64             // µs of CPU for each socket
	idle    float64             // KB of resident memory for each socket
	bursts  map[string]delivery // by how they were broadcast
	singles map[string]delivery
}

// delivery is what messages cost that reached all sockets.
type delivery struct {
	perSecond float64
	server    float64 // µs of CPU for each delivery
	readers   float64 // the same
}

// warmSockets are open before memory is first looked at, so that what a server
// sets up once is not counted with the sockets.
const warmSockets = 16

// sessionLimit is how long a session may take before its processes are killed.
const sessionLimit = 5 * time.Minute

// runner drives the two processes of a session.
type runner struct {
	cfg     *config
	kind    string
	server  *child
	readers *child
	open    int   // sockets
	empty   int64 // bytes of memory before they were opened, but for the warm ones
	profile bool
}

// startRunner starts both processes; the caller stops them.
func startRunner(ctx context.Context, cfg *config, kind string, profile bool) (r *runner, err error) {
	r = &runner{cfg: cfg, kind: kind, profile: profile}
	heap := ""
	if profile {
		heap = withHeapProfile
	}
	if r.server, err = startChild(ctx, roleServer, kind, heap); err != nil {
		return nil, err
	}
	if r.readers, err = startChild(ctx, roleReaders); err != nil {
		return nil, errors.Join(err, r.server.stop())
	}
	return r, nil
}

func (r *runner) stop() error { return errors.Join(r.readers.stop(), r.server.stop()) }

func runSession(ctx context.Context, cfg *config, kind string, profile bool) (s session, err error) {
	ctx, cancel := context.WithTimeout(ctx, sessionLimit)
	defer cancel()
	r, err := startRunner(ctx, cfg, kind, profile)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()

	if err := r.fill(&s); err != nil {
		return s, err
	}
	plain, secure := plainKind(kind)
	if !cfg.runs("fanout") && !secure {
		return s, nil
	}
	s.bursts, s.singles = make(map[string]delivery), make(map[string]delivery)
	for _, via := range ways(plain) {
		if _, err := r.deliver(via, cfg.messages, 1); err != nil { // Warms up.
			return s, err
		}
		if s.bursts[via], err = r.deliver(via, cfg.messages, cfg.bursts); err != nil {
			return s, err
		}
		if s.singles[via], err = r.deliver(via, 1, cfg.singles); err != nil {
			return s, err
		}
		if profile {
			bursts := func() error {
				_, err := r.deliver(via, cfg.messages, profiledBursts)
				return err
			}
			if err := r.profiled(via, bursts); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// fill opens the sockets and measures what that costs.
func (r *runner) fill(s *session) error {
	a, err := r.server.call(command{Do: "address"})
	if err != nil {
		return err
	}
	if err := r.dial(a.Address, warmSockets); err != nil {
		return err
	}
	// What the warm sockets left running in the server is over by then.
	before, err := r.server.call(command{Do: "settle"})
	if err != nil {
		return err
	}
	r.empty = before.Memory
	dial := func() error { return r.dial(a.Address, r.cfg.sockets) }
	if err := r.profiled("connect", dial); err != nil {
		return err
	}
	connected, err := r.server.call(command{Do: "usage"})
	if err != nil {
		return err
	}
	s.connect = micros(connected.CPU-before.CPU) / float64(r.cfg.sockets)
	if s.idle, err = r.memory(); err != nil {
		return err
	}
	if r.profile {
		_, err = r.server.call(command{Do: "heap-profile", Path: r.file("idle.heap")})
	}
	return err
}

// memory returns how many KB are resident for each socket.
func (r *runner) memory() (float64, error) {
	a, err := r.server.call(command{Do: "settle"})
	return float64(a.Memory-r.empty) / 1024 / float64(r.cfg.sockets), err
}

func (r *runner) dial(address string, sockets int) error {
	if _, err := r.readers.call(command{Do: "dial", Address: address, Kind: r.kind, Sockets: sockets}); err != nil {
		return err
	}
	r.open += sockets
	_, err := r.server.call(command{Do: "await", Sockets: r.open})
	return err
}

// deliver broadcasts messages so many times, each time after the last one of
// the time before has arrived.
func (r *runner) deliver(via string, messages, times int) (delivery, error) {
	var took, server, readers time.Duration
	for range times {
		if _, err := r.readers.call(command{Do: "expect", Kind: r.kind, Messages: messages}); err != nil {
			return delivery{}, err
		}
		begun, err := r.server.call(command{Do: "broadcast", Via: via, Messages: messages})
		if err != nil {
			return delivery{}, err
		}
		read, err := r.readers.call(command{Do: "wait"})
		if err != nil {
			return delivery{}, err
		}
		ended, err := r.server.call(command{Do: "usage"})
		if err != nil {
			return delivery{}, err
		}
		took += read.At.Sub(begun.At)
		server += ended.CPU - begun.CPU
		readers += read.CPU
	}
	n := float64(times) * float64(messages) * float64(r.open)
	return delivery{n / took.Seconds(), micros(server) / n, micros(readers) / n}, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// profiledBursts are enough for a profile, which takes 100 samples a second.
const profiledBursts = 30

// profiled has the server write a CPU profile of what do makes it do, if this
// session is there for that.
func (r *runner) profiled(name string, do func() error) error {
	if !r.profile {
		return do()
	}
	if _, err := r.server.call(command{Do: "start-profile", Path: r.file(name + ".cpu")}); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	_, err := r.server.call(command{Do: "stop-profile"})
	return err
}

func (r *runner) file(name string) string {
	return filepath.Join(r.cfg.profile, fmt.Sprintf("%s-%s.pprof", r.kind, name))
}
