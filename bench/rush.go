package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

var untilLast = in("ms until the last is served", "quicker", "slower")

// addRush has many clients connect at once, as after a deployment. Each must be
// served; a row is how long the last one had to wait.
func addRush(ctx context.Context, cfg *config, t *table) error {
	r := row{name: fmt.Sprintf("connect, %s at once", grouped(int64(cfg.rush))), peer: peers[0].name, scale: untilLast}
	for range cfg.rounds {
		for _, of := range []struct {
			kind string
			took *series
		}{{kindSumu, &r.ours}, {peers[0].kind, &r.theirs}} {
			took, err := rushOnce(ctx, of.kind, cfg.rush)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", r.name, of.kind, err)
			}
			*of.took = append(*of.took, took.Seconds()*1000)
		}
	}
	t.add(r)
	return nil
}

func rushOnce(ctx context.Context, kind string, sockets int) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, sessionLimit)
	defer cancel()
	server, err := startChild(ctx, roleServer, kind, "")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	clients, err := startChild(ctx, roleReaders)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, clients.stop()) }()
	a, err := server.call(command{Do: "address"})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	last, err := clients.call(command{Do: "rush", Address: a.Address, Sockets: sockets})
	if err != nil {
		return 0, err
	}
	_, err = server.call(command{Do: "await", Sockets: sockets})
	return last.At.Sub(began), err
}

// rushPatience is how long a client waits for an answer.
const rushPatience = time.Minute

// rush opens so many sockets, all of which begin at once. They end with the process.
func rush(address string, sockets int) error {
	begin := make(chan struct{})
	errs := make([]error, sockets)
	var wg sync.WaitGroup
	for i := range sockets {
		wg.Go(func() {
			<-begin
			errs[i] = rushIn(address, i+1)
		})
	}
	close(begin)
	wg.Wait()
	return errors.Join(errs...)
}

// rushed keeps the connections from being collected, which would close them.
var rushed sync.Map

func rushIn(address string, user int) error {
	nc, err := net.DialTimeout("tcp", address, rushPatience)
	if err != nil {
		return err
	}
	rushed.Store(user, nc)
	if err := nc.SetDeadline(time.Now().Add(rushPatience)); err != nil {
		return err
	}
	if _, err := nc.Write([]byte(request(address, user))); err != nil {
		return err
	}
	response, b := "", make([]byte, 512)
	for !strings.Contains(response, "\r\n\r\n") {
		n, err := nc.Read(b)
		if err != nil {
			return fmt.Errorf("response %q: %w", response, err)
		}
		response += string(b[:n])
	}
	if !strings.HasPrefix(response, "HTTP/1.1 101 ") {
		return fmt.Errorf("response is %q", response)
	}
	return nil
}
