package gateway

import (
	"net/http"
	"time"
)

// Server returns a server for a handler that holds a [Gateway] or its
// management API, with limits on what a client can hold up before anything
// knows who it is. Change its fields as you like, and set Addr or give Serve a
// listener:
//
//	ReadHeaderTimeout  5 s     a client that sends its handshake byte by byte
//	ReadTimeout        60 s    the same for the body of a post; not below
//	                           [Options.ConnectTimeout], which it would cut
//	                           short; it ends with the upgrade
//	IdleTimeout        2 min   longer than the AWS SDKs keep a connection, so
//	                           that they do not post into one that is closing
//	MaxHeaderBytes     16 KiB  above what [Options.MaxHeader] answers with 431
//
// There is no WriteTimeout: the answers here are short, and a page that the
// same server hands out may be long.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
