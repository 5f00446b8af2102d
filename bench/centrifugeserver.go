package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/centrifugal/centrifuge"
)

// centrifugeChannel is what every client is subscribed to.
const centrifugeChannel = "all"

// centrifugeServer is a centrifuge node with its settings, over its JSON
// protocol and without pings. Each client is subscribed to one channel as it
// connects, and a broadcast is a publication there.
type centrifugeServer struct {
	http.Handler
	node *centrifuge.Node
}

func newCentrifugeServer() (*centrifugeServer, error) {
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelNone})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{},
			Subscriptions: map[string]centrifuge.SubscribeOptions{centrifugeChannel: {}},
		}, nil
	})
	if err := node.Run(); err != nil { // It ends with the process.
		return nil, err
	}
	return &centrifugeServer{
		Handler: centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
			PingPongConfig: centrifuge.PingPongConfig{PingInterval: -1},
		}),
		node: node,
	}, nil
}

func (s *centrifugeServer) sockets() int { return s.node.Hub().NumSubscribers(centrifugeChannel) }

func (s *centrifugeServer) broadcast(_ context.Context, via string, messages [][]byte) error {
	if via != viaOwn {
		return fmt.Errorf("no broadcast via %q", via)
	}
	for _, m := range messages {
		if _, err := s.node.Publish(centrifugeChannel, m); err != nil {
			return err
		}
	}
	return nil
}
