package gateway_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// The clients of a benchmark run in a process of their own, so that what is
// measured is the server. It is this test binary, started again.
const clientsEnv = "SUMU_BENCH_CLIENTS" // "address count"

func TestMain(m *testing.M) {
	if spec := os.Getenv(clientsEnv); spec != "" {
		if err := runClients(spec); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	testlog.Quiet()
	os.Exit(m.Run())
}

// runClients opens sockets and says "ready". For each number on stdin it waits
// until so many bytes more have come over all sockets, and says "done".
func runClients(spec string) error {
	addr, n, _ := strings.Cut(spec, " ")
	count, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	var read atomic.Int64
	var target atomic.Int64
	done := make(chan struct{}, 1)
	pong := wstest.New(ws.Pong, "").Append(nil)
	for range count {
		nc, err := dialUpgraded(addr, "/?user=u")
		if err != nil {
			return err
		}
		go func() {
			buf := make([]byte, 16<<10)
			for {
				n, err := nc.Read(buf)
				if err != nil {
					return
				}
				if n == 2 && buf[0] == 0x89 { // A ping, alone.
					if _, err := nc.Write(pong); err != nil {
						return
					}
				}
				if t := target.Load(); read.Add(int64(n)) == t && t > 0 {
					done <- struct{}{}
				}
			}
		}()
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		more, err := strconv.ParseInt(in.Text(), 10, 64)
		if err != nil {
			return err
		}
		target.Add(more)
		fmt.Println("armed")
		<-done
		fmt.Println("done")
	}
	return nil
}

// dialUpgraded opens a WebSocket, offering compression as a browser does, and
// leaves everything else to the caller.
func dialUpgraded(addr, target string) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nUser-Agent: test\r\n"+
		"Sec-WebSocket-Extensions: %s\r\n\r\n", target, wstest.Key, offer)
	if err != nil {
		return nil, err
	}
	// Byte by byte: frames may follow at once.
	var resp []byte
	b := make([]byte, 1)
	for !strings.HasSuffix(string(resp), "\r\n\r\n") {
		if _, err := nc.Read(b); err != nil {
			_ = nc.Close()
			return nil, err
		}
		resp = append(resp, b...)
	}
	if !strings.HasPrefix(string(resp), "HTTP/1.1 101 ") {
		_ = nc.Close()
		return nil, fmt.Errorf("upgrade: %q", resp)
	}
	return nc, nil
}
