package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// A child is driven over its standard input and output: a line of JSON for each
// command, and one for each answer. It ends when its input does: none outlives
// the program that started it, however that ended.

// command is what a child is told to do.
type command struct {
	Do       string
	Address  string `json:",omitempty"`
	Kind     string `json:",omitempty"` // of the server
	Sockets  int    `json:",omitempty"`
	Messages int    `json:",omitempty"`
	Via      string `json:",omitempty"` // how to broadcast
	Path     string `json:",omitempty"` // where to write a profile
}

// answer is what a child answers to any command, with the fields that it asks for.
type answer struct {
	Error   string        `json:",omitempty"`
	Address string        `json:",omitempty"`
	CPU     time.Duration // used so far: see each command for when it is read
	Memory  int64         `json:",omitempty"` // in bytes: resident, or allocated by what was done
	Count   int64         `json:",omitempty"` // of posts that were taken, or of allocations
	// How long half of the messages, and 99 of 100, took at most.
	Half, Most time.Duration `json:",omitempty"`
	// At is when what was asked for began or ended, by the machine's clock,
	// which all processes share.
	At time.Time
}

// The arguments of a child: a server has its kind and withHeapProfile or "".
const (
	roleServer      = "role-server"
	roleReaders     = "role-readers"
	withHeapProfile = "heap-profile"
)

// runRole runs what a child is for, if the arguments name that.
func runRole(args []string) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	var err error
	switch {
	case args[0] == roleServer && len(args) == 3:
		err = runServer(args[1], args[2] == withHeapProfile, os.Stdin, os.Stdout)
	case args[0] == roleReaders && len(args) == 1:
		err = runReaders(os.Stdin, os.Stdout)
	case args[0] == roleLatency && len(args) == 2:
		err = runLatency(args[1])
	case args[0] == roleBootstrap && len(args) == 3:
		err = runBootstrap(args[1], args[2])
	case args[0] == roleStore && len(args) == 2:
		var n int
		if n, err = strconv.Atoi(args[1]); err == nil {
			err = runStore(n)
		}
	default:
		if err, ok = runPostRole(args); !ok {
			err, ok = runBroadcastRole(args)
		}
		if !ok {
			return 0, false
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, args[0]+":", err)
		return 1, true
	}
	return 0, true
}

// obey answers commands until there are no more.
func obey(in io.Reader, out io.Writer, do func(command) (answer, error)) error {
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var c command
		if err := dec.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := do(c)
		if err != nil {
			a.Error = c.Do + ": " + err.Error()
		}
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
}
