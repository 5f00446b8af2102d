package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/sumu-live/sumu/gateway"
)

// demoCredentials sign requests to the management API. They are in the source,
// so they protect nothing: yours come from a secret store.
var demoCredentials = gateway.Credentials{AccessKeyID: "sumu", SecretAccessKey: "quickstart"}

// patience is how long shutting down may take before sockets are cut and
// what the queue still holds is given up.
const patience = 10 * time.Second

// run serves on addr until ctx ends, then shuts down in order.
func run(ctx context.Context, addr string, out io.Writer, log *slog.Logger) error {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program; stop it, or choose another address: -addr 127.0.0.1:0 takes a free one", addr)
	}
	if err != nil {
		return err
	}
	s, err := newServer(log)
	if err != nil {
		listener.Close()
		return err
	}

	presenceCtx, stopPresence := context.WithCancel(context.WithoutCancel(ctx))
	presenceEnded := make(chan error, 1)
	go func() { presenceEnded <- s.watcher.Run(presenceCtx, s.store) }()

	bound := listener.Addr().(*net.TCPAddr)
	web := gateway.Server(s.routes(bound.IP.IsLoopback()))
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	web.BaseContext = func(net.Listener) context.Context { return requests }
	webEnded := make(chan error, 1)
	go func() { webEnded <- web.Serve(listener) }()

	banner(out, bound)
	select {
	case <-ctx.Done():
	case err = <-webEnded:
	}

	// Posts that wait for room are answered, not cut. Sockets first: their clients
	// are told, and nothing new comes in. Then the loop that watches them. The
	// queue last: what is in it is still delivered or accounted for.
	endRequests()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	errs := []error{err, s.gateway.Shutdown(deadline), stopWeb(deadline, web)}
	stopPresence()
	errs = append(errs, <-presenceEnded, s.client.Close(deadline))
	return errors.Join(errs...)
}

// stopWeb lets requests under way finish. It does not wait for connections that
// a browser opened in advance and never used, as Shutdown alone would.
func stopWeb(ctx context.Context, web *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if web.Shutdown(ctx) == nil {
		return nil
	}
	return web.Close()
}

// banner says where the page is, and what to try from a terminal.
func banner(out io.Writer, bound *net.TCPAddr) {
	host := bound.IP.String()
	if bound.IP.IsUnspecified() {
		host = "localhost"
	}
	url := "http://" + net.JoinHostPort(host, fmt.Sprint(bound.Port))
	fmt.Fprintf(out, `sumu quickstart: %[1]s

Open it in two windows. To notify everyone from a backend:

  curl %[1]s/notify -H 'Content-Type: application/json' \
    -d '{"everyone":true,"data":{"type":"notice","text":"Hello"}}'

To reach one connection through the management API of API Gateway, with the AWS
CLI version 2 (the page shows its connection's id beside the raw frames):

  AWS_ACCESS_KEY_ID=%[2]s AWS_SECRET_ACCESS_KEY=%[3]s AWS_DEFAULT_REGION=us-east-1 \
    aws apigatewaymanagementapi post-to-connection --endpoint-url %[1]s \
    --connection-id ID --data '"Hello"' --cli-binary-format raw-in-base64-out

Ctrl+C ends it.
`, url, demoCredentials.AccessKeyID, demoCredentials.SecretAccessKey)
}
