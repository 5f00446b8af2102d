package gateway

import (
	"time"

	"github.com/sumu-live/sumu"
)

// LikeAPIGateway sets what API Gateway's WebSocket APIs do otherwise than this
// package does by default, for programs that are tested here and run there:
//
//	gw, err := gateway.New(app, gateway.LikeAPIGateway)
//
//	MaxFrame, FrameSize  32 KiB
//	MaxURL, MaxHeader    4,096 and 10,240 bytes
//	MaxAge               2 h
//	IdleTimeout          10 min, and what is written to a client counts, too
//	PingInterval         none: API Gateway never pings
//	unknown actions      are answered without their action and ref
//
// These are its quotas as of 2026-11. Options after it may change them again.
func LikeAPIGateway(o *Options) {
	o.MaxFrame, o.FrameSize = 32<<10, 32<<10
	o.MaxURL, o.MaxHeader = 4096, 10_240
	o.MaxAge = sumu.MaxConnectionAge
	o.IdleTimeout = 10 * time.Minute
	o.PingInterval = -1
	o.apiGateway = true
}
