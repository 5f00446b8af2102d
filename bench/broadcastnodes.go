package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu/internal/nodeapi"
)

// The arguments of a child of the case "broadcast".
const (
	roleNodes       = "role-nodes"
	roleBroadcaster = "role-broadcaster"
)

// runBroadcastRole is the part of runRole that is about the case "broadcast".
func runBroadcastRole(args []string) (err error, ok bool) {
	switch {
	case args[0] == roleNodes && len(args) == 1:
		return runNodes(), true
	case args[0] == roleBroadcaster && len(args) == 1:
		return runBroadcaster(), true
	}
	return nil, false
}

// runNodes is a server that takes every post and every batch as a node does,
// and keeps nothing.
func runNodes() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var requests, taken atomic.Int64
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if !strings.HasSuffix(r.URL.Path, "/@connections") {
			if n, err := io.Copy(io.Discard, r.Body); err != nil || n != broadcastSize {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			taken.Add(1)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		b, err := nodeapi.Decode(body)
		if err != nil || len(b.Posts) != 1 || len(b.Posts[0].Data) != broadcastSize {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		taken.Add(int64(len(b.Posts[0].Connections)))
		_, _ = io.WriteString(w, `{"gone":[],"throttled":[]}`) // The count tells if it was not read.
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	err = obey(os.Stdin, os.Stdout, func(c command) (answer, error) {
		switch c.Do {
		case "address":
			return answer{Address: "http://" + ln.Addr().String()}, nil
		case "forget":
			requests.Store(0)
			taken.Store(0)
			return answer{}, nil
		case "taken":
			return answer{Count: taken.Load()}, nil
		case "requests":
			return answer{Count: requests.Load()}, nil
		}
		return answer{}, errors.New("no such command")
	})
	_ = srv.Close()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
