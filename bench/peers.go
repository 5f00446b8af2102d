package main

import (
	"fmt"
	"strings"
	"time"
)

// The servers.
const (
	kindSumu       = "sumu"
	kindGorilla    = "gorilla"
	kindMelody     = "melody"
	kindGws        = "gws"
	kindCentrifuge = "centrifuge"
	kindHijack     = "hijack"       // net/http alone
	kindHandler    = "sumu-handler" // sumu behind net/http, without its listener
	kindRoom       = "sumu-channel"
)

// How they broadcast.
const (
	viaPusher = "pusher" // sumu: a Notification for everyone
	viaPost   = "post"   // sumu: Gateway.Post in a loop
	viaRoom   = "room"   // sumu: a Notification for a channel
	viaOwn    = "own"    // a peer: its one way
)

// peers are what ours is measured against, with what the table calls them. Each
// is pinned by go.mod.
var peers = []struct{ kind, name string }{
	{kindGorilla, "gorilla hub, prepared messages"},
	{kindMelody, "melody"},
	{kindGws, "gws, Broadcaster"},
	{kindCentrifuge, "centrifuge, a channel"},
}

// ways are how a kind of server broadcasts.
func ways(kind string) []string {
	switch kind {
	case kindSumu:
		return []string{viaPusher, viaPost}
	case kindRoom:
		return []string{viaRoom}
	case kindHijack, kindHandler:
		return nil
	}
	return []string{viaOwn}
}

func newServer(kind string) (server, error) {
	if interval, ok := strings.CutPrefix(kind, kindPinged); ok {
		every, err := time.ParseDuration(interval)
		if err != nil {
			return nil, err
		}
		return newListeningServer(every)
	}
	switch kind {
	case kindSumu:
		return newListeningServer(noPings)
	case kindHandler:
		return newSumuServer(noPings)
	case kindRoom:
		return newRoomServer()
	case kindGorilla:
		return newGorillaServer(), nil
	case kindMelody:
		return newMelodyServer(), nil
	case kindGws:
		return newGwsServer(), nil
	case kindCentrifuge:
		return newCentrifugeServer()
	case kindHijack:
		return new(hijackServer), nil
	}
	return nil, fmt.Errorf("no server %q", kind)
}
