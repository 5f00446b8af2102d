//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sumu-live/sumu/internal/freeport"
)

// programs are what was started, in its order.
type programs struct {
	log   io.Writer
	all   []*program
	ended chan error // one that ended by itself
}

type program struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

// endWait is longer than a node takes to drain.
const endWait = 40 * time.Second

// start runs a program in a process group of its own: Ctrl+C is for us, who end
// the nodes before what they need.
func (p *programs) start(name string, cmd *exec.Cmd) error {
	if p.ended == nil {
		p.ended = make(chan error, 10)
	}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	g := &program{name: name, cmd: cmd, done: make(chan struct{})}
	p.all = append(p.all, g)
	go func() {
		defer close(g.done)
		err := cmd.Wait()
		select {
		case p.ended <- fmt.Errorf("%s has ended: %v", name, err):
		default: // Nobody reads any more.
		}
	}()
	return nil
}

// end ends all, the last first.
func (p *programs) end() error {
	var errs []error
	for i := len(p.all) - 1; i >= 0; i-- {
		g := p.all[i]
		_ = g.cmd.Process.Signal(syscall.SIGTERM) // Unless it has ended.
		select {
		case <-g.done:
		case <-time.After(endWait):
			errs = append(errs, fmt.Errorf("%s did not end by itself", g.name))
			_ = g.cmd.Process.Kill()
			<-g.done
		}
	}
	return errors.Join(errs...)
}

// components starts the stand-ins for DynamoDB and SQS.
func (p *programs) components(ctx context.Context, root string, dynamoPort, queuePort int) (dynamo, queues string, err error) {
	tooling := filepath.Join(root, "test", "tooling")
	found, _ := filepath.Glob(filepath.Join(tooling, "node_modules", "@dynoxide", "*", "dynoxide"))
	fauxqs := filepath.Join(tooling, "node_modules", "fauxqs", "dist", "cli.js")
	if _, err := os.Stat(fauxqs); err != nil || len(found) == 0 {
		return "", "", errors.New("the stand-ins for DynamoDB and SQS are not installed; run: make components")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return "", "", errors.New("node is not on the PATH; the stand-in for SQS needs Node.js 20")
	}
	dynamo = "http://127.0.0.1:" + strconv.Itoa(dynamoPort)
	if err := p.start("dynoxide", exec.Command(found[0], "serve", "--host", "127.0.0.1", "--port", strconv.Itoa(dynamoPort))); err != nil {
		return "", "", err
	}
	queues = "http://127.0.0.1:" + strconv.Itoa(queuePort)
	cmd := exec.Command(node, "--require", filepath.Join(tooling, "loopback.cjs"), fauxqs)
	cmd.Env = append(os.Environ(), "FAUXQS_PORT="+strconv.Itoa(queuePort), "FAUXQS_LOGGER=false")
	if err := p.start("fauxqs", cmd); err != nil {
		return "", "", err
	}
	return dynamo, queues, errors.Join(p.accepts(ctx, dynamoPort), p.accepts(ctx, queuePort))
}

// accepts waits until something listens on a port.
func (p *programs) accepts(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case err := <-p.ended:
			return err
		case <-ctx.Done():
			return fmt.Errorf("nothing listens on port %d: %w", port, err)
		}
	}
}

// moduleRoot is the folder that has test/tooling, here or above.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "test", "tooling", "package-lock.json")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run it within a checkout of the repository")
		}
	}
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
}

// choosePorts returns ports from first on, or with 0 free ones.
func choosePorts(first, n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		if first > 0 && i < 3 { // What a person types; the rest is found.
			l, err := listen(first + i)
			if err != nil {
				return nil, fmt.Errorf("%w; choose others with -port", err)
			}
			ports[i] = first + i
			_ = l.Close()
			continue
		}
		var err error
		if ports[i], err = freeport.Take(); err != nil {
			return nil, err
		}
	}
	return ports, nil
}
