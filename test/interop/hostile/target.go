package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

const serveArg = "serve-the-gateway"

// target is the process with the gateway.
type target struct {
	addr string
	cmd  *exec.Cmd
	in   interface{ Close() error }
	http http.Client
}

func startTarget(ctx context.Context) (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	t := &target{cmd: exec.Command(self, serveArg), http: http.Client{Timeout: 10 * time.Second}}
	t.cmd.Stderr = os.Stderr
	in, err := t.cmd.StdinPipe() // It ends with it, and so with this process.
	if err != nil {
		return nil, err
	}
	t.in = in
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { in.Close() })()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the gateway did not start: %w", err), t.stop())
	}
	t.addr = strings.TrimSpace(line)
	return t, nil
}

func (t *target) stop() error {
	t.http.CloseIdleConnections()
	_ = t.in.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = t.cmd.Process.Kill() })
	defer kill.Stop()
	return t.cmd.Wait()
}

// stats is what the gateway's process says of itself.
type stats struct {
	Resident   uint64 // bytes; 0 where the system does not tell
	InUse      uint64 // bytes of heap and stacks
	Goroutines int
	Sockets    int
	Rows       int
	Posted     int // to the client of good will
	Taken      int // posts to the hostile
	Throttled  int
}

// worst keeps the greater of each.
func (s *stats) worst(o stats) {
	s.Resident = max(s.Resident, o.Resident)
	s.InUse = max(s.InUse, o.InUse)
	s.Goroutines = max(s.Goroutines, o.Goroutines)
	s.Sockets = max(s.Sockets, o.Sockets)
	s.Rows = max(s.Rows, o.Rows)
}

// stats asks the gateway's process; collected: after a garbage collection.
func (t *target) stats(collected bool) (s stats, err error) {
	url := "http://" + t.addr + "/stats"
	if collected {
		url += "?collect=1"
	}
	resp, err := t.http.Get(url)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
