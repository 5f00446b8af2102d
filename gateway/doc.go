// Package gateway terminates WebSockets on your own servers, with the semantics
// of API Gateway: what runs behind API Gateway and Lambda runs here unchanged.
//
//	gw, err := gateway.New(app)
//	http.Handle("/ws", gw)                    // clients
//	push, err := pusher.New(store, gw)        // posts, in process
//	defer gw.Shutdown(ctx)
//
// # Semantics
//
//	upgrade          pending until the App has authorized and written the row;
//	                 401, 403, 429 or 500 otherwise, and no row is left
//	post             nil once queued; ErrGone before the upgrade and after the
//	                 end; ErrThrottled when the client reads too slowly
//	messages         text frames, 128 KB; of one socket in order, one at a time
//	binary message   closed with 1003
//	too big          closed with 1009
//	not UTF-8        closed with 1007; against RFC 6455: 1002
//	half a message   closed with 1008 after ReadTimeout
//	idle, too old    closed with 1001 after 10 minutes, 2 hours
//	token expired    closed with 1008
//	no reader        reset after WriteTimeout, when not one byte moves
//	end              the row is removed once, with the close code of whoever
//	                 closed first: 1005 for a close frame without a code, 1006
//	                 without a close frame
//
// A handler is called on its socket's goroutine: while it runs, nothing more is
// read from that socket, pings included. Its context ends when the gateway is
// stopped by force, not when the client leaves; bound slow handlers yourself.
//
// # Not here
//
// Origins and tokens are the authorizer's. TLS and the time that a client may
// take to send its request are the [net/http.Server]'s: set ReadHeaderTimeout.
// No compression is negotiated. A process that dies leaves its rows: they
// expire with [sumu.AppOptions.RowTTL].
//
// # Cost
//
// An idle socket has one goroutine with the smallest stack and no buffer; all
// times of all sockets are watched by one goroutine. A post encodes its frame
// once for all sockets, and whatever is pending for a socket goes out in one
// write: in a burst the system calls, which are what a fan-out costs, are
// shared too. TLS sockets work the same but for their own buffers, which
// crypto/tls keeps, and a goroutine for each while it is written to.
package gateway
