package interop

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var python = []client{
	{
		name: "websockets", whole: true,
		cannot: map[string]string{
			"close without code": "it has no call for it",
		},
	},
	{
		name: "autobahn", whole: true,
	},
}

// answer is a line of client.py.
type answer struct {
	Error    string
	Status   int
	Protocol string
	Text     string
	Closed   *int
	Reason   string
}

// process is a client.py.
type process struct {
	in      io.Writer
	answers chan answer
}

// startPython runs client.py until the test ends.
func startPython(t *testing.T, library string) *process {
	t.Helper()
	// The script prints the path; what it installs it tells on standard error.
	setup := exec.Command("./setup.sh")
	setup.Stderr = os.Stderr
	path, err := setup.Output()
	if err != nil {
		t.Fatalf("setup.sh: %v", err)
	}
	cmd := exec.Command(string(path[:len(path)-1]), "client.py", library)
	var log strings.Builder // autobahn tells of every refusal.
	cmd.Stderr = &log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{in: in, answers: make(chan answer, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.answers)
		lines := json.NewDecoder(bufio.NewReader(out))
		for {
			var a answer
			if err := lines.Decode(&a); err != nil {
				return
			}
			p.answers <- a
		}
	}()
	t.Cleanup(func() {
		in.Close()
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("client.py %s: %v\n%s", library, err, &log)
		}
	})
	return p
}

// do sends a command and returns its answer.
func (p *process) do(op string, args map[string]any) (answer, error) {
	args["op"] = op
	line, err := json.Marshal(args)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return answer{}, err
	}
	select {
	case a, ok := <-p.answers:
		switch {
		case !ok:
			return a, errors.New("client.py has ended")
		case a.Error != "":
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-time.After(2 * patience): // It gives up before.
		return answer{}, errLate
	}
}

func (p *process) dial(_ context.Context, a address) (conn, error) {
	protocols := a.protocols
	if protocols == nil {
		protocols = []string{}
	}
	got, err := p.do("dial", map[string]any{"url": a.url, "protocols": protocols, "compress": a.compress, "ca": a.caFile})
	if err != nil {
		return nil, err
	}
	if got.Status != 101 {
		return nil, &refused{got.Status}
	}
	return &pythonConn{p, got.Protocol}, nil
}

type pythonConn struct {
	p        *process
	protocol string
}

func (c *pythonConn) Protocol() string { return c.protocol }

func (c *pythonConn) Send(m message) error {
	_, err := c.p.do("send", map[string]any{"text": m.text, "binary": m.binary, "frame": m.frame, "ping": m.ping})
	return err
}

func (c *pythonConn) SendRaw(b []byte) error {
	_, err := c.p.do("raw", map[string]any{"text": hex.EncodeToString(b)})
	return err
}

func (c *pythonConn) Receive() (string, error) {
	a, err := c.p.do("receive", map[string]any{})
	if err == nil && a.Closed != nil {
		err = &closed{*a.Closed, a.Reason}
	}
	return a.Text, err
}

func (c *pythonConn) Ping(payload string) error {
	_, err := c.p.do("ping", map[string]any{"text": payload})
	return err
}

func (c *pythonConn) Pong(payload string) error {
	_, err := c.p.do("pong", map[string]any{"text": payload})
	return err
}

func (c *pythonConn) Close(code int, reason string) (int, error) {
	args := map[string]any{"code": nil, "text": nil}
	if code != 0 {
		args = map[string]any{"code": code, "text": reason}
	}
	a, err := c.p.do("close", args)
	if err != nil {
		return 0, err
	}
	if a.Closed == nil {
		return 0, fmt.Errorf("%q came instead of the end", a.Text)
	}
	return *a.Closed, nil
}

func (c *pythonConn) Drop() error {
	_, err := c.p.do("drop", map[string]any{})
	return err
}
