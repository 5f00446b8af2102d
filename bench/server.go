package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// server is what the readers connect to.
type server interface {
	http.Handler
	// sockets returns how many are open.
	sockets() int
	// broadcast sends every message to every socket, and returns when the
	// server has taken them over.
	broadcast(ctx context.Context, via string, messages [][]byte) error
}

// serverRole is the process that holds the sockets.
type serverRole struct {
	server
	address string
	profile *os.File // the running CPU profile
}

func runServer(kind string, heapProfile bool, in io.Reader, out io.Writer) error {
	if heapProfile {
		runtime.MemProfileRate = 4 << 10 // The default sees too little of a few MB.
	}
	plain, secure := plainKind(kind)
	s, err := newServer(plain)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r := &serverRole{server: s, address: ln.Addr().String()}
	if secure {
		cert, err := certificate()
		if err != nil {
			return err
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	if l, ok := s.(interface {
		listener(net.Listener) net.Listener
	}); ok && !secure {
		ln = l.listener(ln)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	err = obey(in, out, r.do)
	_ = srv.Close() // The sockets end with the process.
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func (r *serverRole) do(c command) (answer, error) {
	var a answer
	var err error
	switch c.Do {
	case "address":
		a.Address = r.address
	case "await": // as many sockets
		err = r.await(c.Sockets)
	case "usage":
	case "settle":
		a.Memory, err = settledMemory()
	case "broadcast": // CPU and At are those of its begin
		return r.broadcastNow(c)
	case "start-profile":
		err = r.startProfile(c.Path)
	case "stop-profile":
		pprof.StopCPUProfile()
		err = r.profile.Close()
	case "heap-profile":
		err = writeHeap(c.Path)
	default:
		err = errors.New("no such command")
	}
	a.CPU, a.At = cpuUsed(), time.Now()
	return a, err
}

func (r *serverRole) broadcastNow(c command) (answer, error) {
	messages := make([][]byte, c.Messages)
	for i := range messages {
		messages[i] = message(i)
	}
	a := answer{CPU: cpuUsed(), At: time.Now()}
	return a, r.broadcast(context.Background(), c.Via, messages)
}

// await waits for what the readers have done already: a handshake is answered
// a moment before the server counts the socket.
func (r *serverRole) await(want int) error {
	for end := time.Now().Add(10 * time.Second); r.sockets() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d sockets are open, want %d", r.sockets(), want)
		}
	}
	return nil
}

func (r *serverRole) startProfile(path string) (err error) {
	if r.profile, err = os.Create(path); err != nil {
		return err
	}
	return pprof.StartCPUProfile(r.profile)
}

func writeHeap(path string) error {
	if _, err := settledMemory(); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
