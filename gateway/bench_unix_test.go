//go:build unix

package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// bench is a gateway with many sockets, whose clients are elsewhere.
type bench struct {
	gw      *gateway.Gateway
	address string
	conns   []sumu.Connection
	in      io.Writer
	out     *bufio.Scanner

	before, after footprint // with no socket, and with all of them idle
}

// footprint is what the process holds, in bytes.
type footprint struct{ heap, stack, resident uint64 }

func measure(b *testing.B) footprint {
	b.Helper()
	for range 6 { // Stacks shrink by half with each.
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{heap: m.HeapAlloc, stack: m.StackInuse, resident: residentBytes(b)}
}

// residentBytes is what the system accounts to the process; 0 where it does
// not say.
func residentBytes(b *testing.B) uint64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * uint64(os.Getpagesize())
}

func startBench(b *testing.B, sockets int, optFns ...func(*gateway.Options)) *bench {
	b.Helper()
	store := new(memstore.Store)
	t := &bench{}
	var mu sync.Mutex
	app, err := sumu.NewApp(
		sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{UserID: "u"}, nil
		}),
		// The rows are not what is measured.
		discard{store},
		func(o *sumu.AppOptions) {
			o.Observer.Connected = func(_ context.Context, c sumu.Connection) {
				mu.Lock()
				t.conns = append(t.conns, c)
				mu.Unlock()
			}
		})
	if err != nil {
		b.Fatal(err)
	}
	if t.gw, err = gateway.New(app, optFns...); err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(t.gw.ServeHTTP))
	t.address = srv.Listener.Addr().String()
	t.conns = make([]sumu.Connection, 0, sockets)
	t.before = measure(b)

	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), clientsEnv+"="+fmt.Sprint(srv.Listener.Addr(), " ", sockets))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	t.in, t.out = stdin, bufio.NewScanner(stdout)
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := t.gw.Shutdown(ctx); err != nil {
			b.Error(err)
		}
		srv.Close()
	})
	t.expect(b, "ready")
	for t.gw.Sockets() < sockets {
		time.Sleep(time.Millisecond)
	}
	t.after = measure(b)
	return t
}

func (t *bench) expect(b *testing.B, want string) {
	b.Helper()
	if !t.out.Scan() || t.out.Text() != want {
		b.Fatalf("the clients say %q, want %q", t.out.Text(), want)
	}
}

// discard is a store that keeps nothing.
type discard struct{ sumu.Store }

func (discard) Put(context.Context, sumu.Connection) error       { return nil }
func (discard) Delete(context.Context, sumu.ConnectionRef) error { return nil }

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIdle tells what an idle socket holds on the server, without and with
// compression.
func BenchmarkIdle(b *testing.B) {
	for _, from := range []int{0, 1024} {
		b.Run(fmt.Sprintf("compress=%d", from), func(b *testing.B) {
			const sockets = 4000
			t := startBench(b, sockets, compressFrom(from))
			for b.Loop() {
				t.gw.Turn()
			}
			per := func(before, after uint64) float64 { return (float64(after) - float64(before)) / sockets }
			b.ReportMetric(per(t.before.heap+t.before.stack, t.after.heap+t.after.stack), "B/socket")
			b.ReportMetric(per(t.before.stack, t.after.stack), "stack-B/socket")
			b.ReportMetric(per(t.before.resident, t.after.resident), "resident-B/socket")
		})
	}
}

// BenchmarkHeartbeat pings all sockets, on a clock that is moved, and waits for the
// answers. PingInterval divides what one costs.
func BenchmarkHeartbeat(b *testing.B) {
	const sockets = 4000
	now := newClock()
	t := startBench(b, sockets, gateway.Manual, func(o *gateway.Options) { o.Now = now.Now })
	cpu := cpuTime(b)
	for b.Loop() {
		for range 25 {
			now.Advance(time.Second)
			t.gw.Turn()
		}
		for t.gw.Unanswered() > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if n := t.gw.Sockets(); n != sockets {
		b.Fatalf("%d sockets are left", n)
	}
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N*sockets), "cpu-ns/ping")
}

// BenchmarkPing has clients ping, one after the other and many at once. The
// clients' CPU is in it.
func BenchmarkPing(b *testing.B) {
	for _, unpolled := range []bool{false, true} {
		for _, atOnce := range []int{1, 100} {
			b.Run(fmt.Sprintf("unpolled=%t/at once=%d", unpolled, atOnce), func(b *testing.B) {
				t := startBench(b, 1, gateway.Unpolled(unpolled), func(o *gateway.Options) { o.MessageRate = -1 })
				conns := make([]net.Conn, atOnce)
				for i := range conns {
					nc, err := dialUpgraded(t.address, "/?user=u")
					if err != nil {
						b.Fatal(err)
					}
					defer nc.Close()
					conns[i] = nc
				}
				ping := wstest.New(ws.Ping, "hello").Append(nil)
				pong := make([]byte, 2+len("hello"))
				cpu := cpuTime(b)
				for b.Loop() {
					for _, nc := range conns {
						if _, err := nc.Write(ping); err != nil {
							b.Fatal(err)
						}
					}
					for _, nc := range conns {
						if _, err := io.ReadFull(nc, pong); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N*atOnce), "cpu-ns/ping")
			})
		}
	}
}

// BenchmarkFanout posts bursts to all sockets, and waits until the clients
// have everything.
func BenchmarkFanout(b *testing.B) {
	for _, burst := range []int{1, 40} {
		b.Run(fmt.Sprintf("messages=%d", burst), func(b *testing.B) {
			const sockets, size = 4000, 200
			t := startBench(b, sockets)
			cpu, deliveries := cpuTime(b), 0
			for b.Loop() {
				fmt.Fprintln(t.in, burst*sockets*(size+4))
				t.expect(b, "armed")
				for range burst {
					p, err := sumu.NewPayload([]byte(strings.Repeat("x", size)))
					if err != nil {
						b.Fatal(err)
					}
					for _, c := range t.conns {
						if err := t.gw.Post(context.Background(), c, p); err != nil {
							b.Fatal(err)
						}
					}
				}
				t.expect(b, "done")
				deliveries += burst * sockets
			}
			b.ReportMetric(float64(deliveries)/b.Elapsed().Seconds(), "deliveries/s")
			b.ReportMetric(float64(cpuTime(b)-cpu)/float64(deliveries), "cpu-ns/delivery")
		})
	}
}
