// Package e2e tests the quickstart as its users meet it: the built program, a
// real browser, a terminal's WebSocket client, and bytes that no client of good
// will sends. It runs with SUMU_E2E=1, which "make test" sets.
package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds what a test waits for. Nothing is paced by it: a test that
// succeeds waits for events only.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if binDir != "" {
		os.RemoveAll(binDir)
	}
	os.Exit(code)
}

// enabled skips the test unless components may be started.
func enabled(t *testing.T) {
	t.Helper()
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs real components; run it with: make test")
	}
}

var (
	buildFlags []string // -race if the tests themselves were built so

	binDir string
	build  = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "sumu-e2e-")
		if err != nil {
			return "", err
		}
		binDir = dir
		bin := filepath.Join(dir, "quickstart")
		args := append([]string{"build", "-o", bin}, buildFlags...)
		out, err := exec.Command("go", append(args, "../../examples/quickstart")...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		return bin, nil
	})
)

// program is a running quickstart.
type program struct {
	URL  string // http://127.0.0.1:port
	Addr string // 127.0.0.1:port

	cmd    *exec.Cmd
	ended  bool       // by stop or kill
	exited chan error // what Wait returned
	log    *strings.Builder
}

// start runs the quickstart on addr, and stops it when the test ends.
func start(t *testing.T, addr string) *program {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.Command(bin, "-addr", addr), exited: make(chan error, 1), log: new(strings.Builder)}
	p.cmd.Stderr = p.log
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // Else its end takes a second.
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })

	firstLine := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n')
		firstLine <- line
		_, _ = io.Copy(io.Discard, lines)
		p.exited <- p.cmd.Wait()
	}()
	select {
	case line := <-firstLine:
		url, ok := strings.CutPrefix(strings.TrimSpace(line), "sumu quickstart: ")
		if !ok {
			t.Fatalf("the quickstart did not start: it printed %q, and\n%s", line, p.stopped())
		}
		p.URL, p.Addr = url, strings.TrimPrefix(url, "http://")
	case <-time.After(patience):
		t.Fatal("the quickstart did not print its address")
	}
	return p
}

// stopped returns what the program said once it has ended by itself.
func (p *program) stopped() string {
	err := <-p.exited
	p.exited <- err
	return p.log.String()
}

// stop ends the program as Ctrl+C does, and fails the test unless it ends well.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Signal(os.Interrupt) // It may have ended already.
	select {
	case err := <-p.exited:
		if err != nil {
			t.Errorf("the quickstart ended with %v:\n%s", err, p.log)
		}
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.exited
		t.Error("the quickstart did not end after an interrupt")
	}
	if strings.Contains(p.log.String(), "eyJ") {
		t.Errorf("the log holds what looks like a token:\n%s", p.log)
	}
}

// kill ends the program as a power cut does: no close frame, no farewell.
func (p *program) kill(t *testing.T) {
	t.Helper()
	p.ended = true
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited
}

const anyPort = "127.0.0.1:0"

func TestPortTaken(t *testing.T) {
	enabled(t)
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	out, err := exec.CommandContext(ctx, bin, "-addr", ln.Addr().String()).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the program ended with %v; want exit code 1", err)
	}
	for _, want := range []string{ln.Addr().String() + " is in use", "-addr"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it says %q; want it to say %q", out, want)
		}
	}
}
