package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
)

const normalUser = "normal"

// serve is the process with the gateway: it prints its address, and ends with
// its standard input.
func serve() {
	if err := serveUntilEOF(); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

type server struct {
	store memstore.Store
	gw    *gateway.Gateway

	posted, taken, throttled atomic.Int64
}

func serveUntilEOF() error {
	s := new(server)
	// Anybody: what is tested comes behind the token.
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: strings.Join(r.Query["user"], "")}, nil
	})
	app, err := sumu.NewApp(auth, &s.store, func(o *sumu.AppOptions) {
		o.Default = func(_ context.Context, m sumu.Message) ([]byte, error) {
			return []byte(string(m.Body)), nil // A copy: the body is the gateway's.
		}
	})
	if err != nil {
		return err
	}
	if s.gw, err = gateway.New(app); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", s.gw)
	mux.HandleFunc("GET /stats", s.stats)
	web := gateway.Server(mux)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(networkListener{ln}) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.post(ctx)
	fmt.Println(ln.Addr())

	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	end, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	err = errors.Join(s.gw.Shutdown(end), web.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// networkListener has the system buffer as little as it does for connections
// from elsewhere. Loopback's segments of 64 KB make it 2.6 MB for each, which
// takes an attacker that does not read long to fill.
type networkListener struct{ net.Listener }

// Accept is that of [net.Listener].
func (l networkListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(87380)
	}
	return nc, err
}

// post sends to everyone, 20 times a second: a number to the client of good
// will, and 16 KB to the others.
func (s *server) post(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	load := strings.Repeat("x", 16<<10)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// One for all: it is held once, however many do not read it.
		p, err := sumu.NewPayload([]byte(load))
		if err != nil {
			panic(err) // It is a constant.
		}
		for c, err := range s.store.All(ctx, sumu.Segment{}) {
			if err != nil {
				break
			}
			if c.UserID == normalUser {
				s.postNumber(ctx, c)
				continue
			}
			switch err := s.gw.Post(ctx, c, p); {
			case err == nil:
				s.taken.Add(1)
			case errors.Is(err, sumu.ErrThrottled):
				s.throttled.Add(1)
			}
		}
	}
}

// postNumber counts what the gateway has taken: each of them must arrive.
func (s *server) postNumber(ctx context.Context, c sumu.Connection) {
	p, err := sumu.NewPayload(fmt.Appendf(nil, "post %d", s.posted.Load()+1))
	if err != nil {
		panic(err) // As above.
	}
	if s.gw.Post(ctx, c, p) == nil {
		s.posted.Add(1)
	}
}

func (s *server) stats(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("collect") {
		debug.FreeOSMemory() // A garbage collection first.
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	rows := 0
	for _, err := range s.store.All(r.Context(), sumu.Segment{}) {
		if err == nil {
			rows++
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(stats{
		Resident: resident(), InUse: m.HeapInuse + m.StackInuse, Goroutines: runtime.NumGoroutine(),
		Sockets: s.gw.Sockets(), Rows: rows,
		Posted: int(s.posted.Load()), Taken: int(s.taken.Load()), Throttled: int(s.throttled.Load()),
	})
}

// resident is Linux's VmRSS, in bytes; 0 elsewhere.
func resident() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
