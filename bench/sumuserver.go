package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/pusher"
)

// sumuServer is ours, with default settings but for the pings, which would come among
// what is counted: there are none, as with the peers. See addPings for what they cost.
type sumuServer struct {
	http.Handler
	app     *sumu.App
	gateway *gateway.Gateway
	store   *memstore.Store
	pusher  *pusher.Pusher
	sent    int
}

// noPings is a PingInterval.
const noPings = -1

func newSumuServer(pings time.Duration) (*sumuServer, error) {
	store := new(memstore.Store)
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		user := r.Query["user"]
		if len(user) != 1 {
			return sumu.Identity{}, sumu.ErrUnauthorized
		}
		return sumu.Identity{UserID: user[0]}, nil
	})
	app, err := sumu.NewApp(auth, store)
	if err != nil {
		return nil, err
	}
	gw, err := gateway.New(app, func(o *gateway.Options) { o.PingInterval = pings })
	if err != nil {
		return nil, err
	}
	push, err := pusher.New(store, gw)
	if err != nil {
		return nil, err
	}
	return &sumuServer{Handler: gw, app: app, gateway: gw, store: store, pusher: push}, nil
}

// listeningServer is ours with its own listener, as the documentation has it.
type listeningServer struct{ *sumuServer }

func newListeningServer(pings time.Duration) (*listeningServer, error) {
	s, err := newSumuServer(pings)
	return &listeningServer{s}, err
}

func (s *listeningServer) listener(ln net.Listener) net.Listener {
	return s.gateway.Listener(ln, "/")
}

func (s *sumuServer) sockets() int { return s.gateway.Sockets() }

func (s *sumuServer) broadcast(ctx context.Context, via string, messages [][]byte) error {
	switch via {
	case viaPusher:
		return s.push(ctx, messages)
	case viaPost:
		return s.post(ctx, messages)
	}
	return fmt.Errorf("no broadcast via %q", via)
}

// push sends one notification after the other, as backends do.
func (s *sumuServer) push(ctx context.Context, messages [][]byte) error {
	for _, m := range messages {
		s.sent++
		results, err := s.pusher.Push(ctx, sumu.Notification{ID: strconv.Itoa(s.sent), Everyone: true, Data: m})
		if err != nil {
			return err
		}
		if err := s.reached(&results[0]); err != nil {
			return err
		}
	}
	return nil
}

func (s *sumuServer) reached(r *sumu.Result) error {
	if r.Delivered != s.sockets() {
		return fmt.Errorf("%d of %d delivered, %d gone, %d failed, %d requeued",
			r.Delivered, s.sockets(), r.Gone, r.Failed, r.Requeued)
	}
	return nil
}

// post is what a program does that needs no accounting: it asks the store and
// posts, with one goroutine.
func (s *sumuServer) post(ctx context.Context, messages [][]byte) error {
	for _, m := range messages {
		p, err := sumu.NewPayload(m)
		if err != nil {
			return err
		}
		for c, err := range s.store.All(ctx, sumu.Segment{}) {
			if err != nil {
				return err
			}
			if err := s.gateway.Post(ctx, c, p); err != nil {
				return err
			}
		}
	}
	return nil
}
