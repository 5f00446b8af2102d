package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// childGrace is how long a child may take to end by itself once it was told to.
const childGrace = 5 * time.Second

// child is a process that this one has started.
type child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	enc  *json.Encoder
	dec  *json.Decoder
}

// startChild runs this program again in a role. The child is killed when ctx
// ends; the caller stops it before.
func startChild(ctx context.Context, role ...string) (*child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, exe, role...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = childGrace
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{
		role: fmt.Sprint(role),
		cmd:  cmd,
		in:   in,
		enc:  json.NewEncoder(in),
		dec:  json.NewDecoder(out),
	}, nil
}

// call gives a command and waits for its answer.
func (c *child) call(cmd command) (answer, error) {
	var a answer
	if err := c.enc.Encode(cmd); err != nil {
		return a, fmt.Errorf("%s %s: %w", c.role, cmd.Do, err)
	}
	if err := c.dec.Decode(&a); err != nil {
		return a, fmt.Errorf("%s %s: no answer: %w", c.role, cmd.Do, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s %s", c.role, a.Error)
	}
	return a, nil
}

// stop ends the child and waits until it has ended.
func (c *child) stop() error {
	closed := c.in.Close()
	kill := time.AfterFunc(childGrace, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.role, err)
	}
	if closed != nil && !errors.Is(closed, os.ErrClosed) {
		return closed
	}
	return nil
}
