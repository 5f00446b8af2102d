package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
)

var socketsFlag = flag.Int("server.sockets", 3_000, "sockets of TestFleet, on 6 nodes; 100,000 need 4 GB and, of each process, 17,000 open files")

const (
	fleetNodes   = 6
	clientsRole  = "SUMU_TEST_CLIENTS"
	usersPerNode = 100 // of whose tokens the sockets share
)

// clients is what a process of clients is told.
type clients struct {
	Addr    string
	Sockets int
	Tokens  []string
}

// runClients opens sockets, says so, and then, for each line that has a number
// of bytes, says when the last socket has got as many more.
func runClients(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	lines.Scan()
	var c clients
	if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
		return err
	}
	conns := make([]*bufio.Reader, c.Sockets)
	const dialing = 16
	err := forEach(dialing, func(first int) (err error) {
		for i := first; i < len(conns) && err == nil; i += dialing {
			conns[i], err = dialRaw(c.Addr, c.Tokens[i%len(c.Tokens)])
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "open")
	for lines.Scan() {
		var size int
		if _, err := fmt.Sscan(lines.Text(), &size); err != nil {
			return err
		}
		var last atomic.Int64
		err := forEach(len(conns), func(i int) error {
			_, err := io.CopyN(io.Discard, conns[i], int64(size))
			last.Store(time.Now().UnixNano())
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, last.Load())
	}
	return lines.Err()
}

// forEach does something n times at once, and returns one of the errors.
func forEach(n int, do func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- do(i) }()
	}
	var failed error
	for range n {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return failed
}

// dialRaw opens a WebSocket whose frames are read as bytes.
func dialRaw(addr, token string) (*bufio.Reader, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n", addr, token)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 1<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("refused: %s", resp.Status)
	}
	return r, nil
}

// startClients starts a process of clients, which connects them.
func (f *fleet) startClients(p *process, sockets int) (tell io.Writer, told *bufio.Scanner) {
	f.t.Helper()
	c := clients{Addr: p.addr, Sockets: sockets}
	for i := range usersPerNode {
		c.Tokens = append(c.Tokens, f.token(fmt.Sprintf("%s-%d", p.name, i)))
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientsRole+"=1")
	cmd.Stderr = processLog{f.t, "clients of " + p.name}
	in, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() }) // It ends with its input.
	if err := json.NewEncoder(in).Encode(c); err != nil {
		f.t.Fatal(err)
	}
	return in, bufio.NewScanner(out)
}

// cpu is what the nodes' processes have used, by the operating system's account.
func cpu(t *testing.T, nodes []*process) (total time.Duration) {
	t.Helper()
	for _, p := range nodes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil { // Never a reason to skip: a node that has ended has no such file.
			t.Fatal(err)
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		var user, system int64
		_, _ = fmt.Sscan(fields[11], &user)
		_, _ = fmt.Sscan(fields[12], &system)
		total += time.Duration(user+system) * 10 * time.Millisecond // A tick is 1/100 s.
	}
	return total
}

// TestFleet broadcasts to sockets on six nodes, through DynamoDB and SQS, and
// reports how long it takes to the last frame, and the nodes' CPU. A node gets
// one request for up to 1,000 of its sockets.
func TestFleet(t *testing.T) {
	if os.Getenv("SUMU_SLOW") != "1" {
		t.Skip("takes a while; run it with: make test-slow")
	}
	if runtime.GOOS != "linux" {
		t.Skip("reads the CPU of processes from /proc, as Linux has it")
	}
	f := newFleetOn(t, components.DynamoDBLocal(t))
	f.vars = append(f.vars, "SUMU_LEASE_TTL=60s", "SUMU_SWEEP=10m") // The last one counts.
	nodes := make([]*process, fleetNodes)
	tell, told := make([]io.Writer, fleetNodes), make([]*bufio.Scanner, fleetNodes)
	per := *socketsFlag / fleetNodes
	for i := range nodes {
		nodes[i] = f.start(string(rune('a' + i)))
	}
	began := time.Now()
	for i, p := range nodes {
		tell[i], told[i] = f.startClients(p, per)
	}
	for i, s := range told {
		if !s.Scan() || s.Text() != "open" {
			t.Fatalf("the clients of %s are not connected", nodes[i].name)
		}
	}
	t.Logf("%d sockets on %d nodes: connected in %v, %v of CPU of the nodes", per*fleetNodes, fleetNodes, time.Since(began), cpu(t, nodes))
	for i := range 3 {
		text := fmt.Sprintf(`"%0100d"`, i)
		size := len(text) + 2 // The frame's header.
		for _, w := range tell {
			if _, err := fmt.Fprintln(w, size); err != nil {
				t.Fatal(err)
			}
		}
		var before int64
		for _, p := range nodes {
			before += p.batches.Load()
		}
		used, sent := cpu(t, nodes), time.Now()
		if status := nodes[0].notify(notifySecret, `{"everyone":true,"data":`+text+`}`); status != 202 {
			t.Fatalf("POST /notify: %d", status)
		}
		var last time.Time
		for j, s := range told {
			var nanos int64
			if !s.Scan() {
				t.Fatalf("the clients of %s have ended", nodes[j].name)
			}
			if _, err := fmt.Sscan(s.Text(), &nanos); err != nil {
				t.Fatal(err)
			}
			if at := time.Unix(0, nanos); at.After(last) {
				last = at
			}
		}
		used = cpu(t, nodes) - used
		batches, posted := -before, int64(0)
		for _, p := range nodes {
			batches += p.batches.Load()
			posted += p.posted.Load()
		}
		t.Logf("broadcast %d: %v from notify to the last frame, %v of CPU of the nodes (%.2f µs for each socket), %d requests",
			i, last.Sub(sent).Round(time.Millisecond), used, float64(used.Microseconds())/float64(per*fleetNodes), batches)
		// How many depends on how fast the table is read: a socket waits for
		// others of its node for half a second at most.
		if batches < fleetNodes-1 || batches > int64(*socketsFlag/20+fleetNodes) || posted > 0 {
			t.Errorf("%d batches and %d single posts", batches, posted)
		}
	}
	rows, began := 0, time.Now()
	for _, err := range f.store.All(context.Background(), sumu.Segment{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
	}
	t.Logf("of a broadcast, to read the table alone: %v", time.Since(began).Round(time.Millisecond))
	if rows != per*fleetNodes {
		t.Errorf("%d rows, want %d", rows, per*fleetNodes)
	}
}
