package main

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"

	"github.com/sumu-live/sumu"
)

// readJSON reads the body of a POST, at most limit bytes. When it cannot, it
// answers with the reason and returns false.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, bool) {
	// A form of another site can post text/plain without asking this server
	// first; it cannot post application/json.
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		fail(w, http.StatusRequestEntityTooLarge, "the body is too large")
		return nil, false
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "the body ended too early")
		return nil, false
	}
	return body, true
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // The client has gone: nobody is left to tell.
}

func fail(w http.ResponseWriter, status int, reason string) {
	answer(w, status, map[string]string{"error": reason})
}

// statusOf is the HTTP status of an error of sumu.
func statusOf(err error) int {
	switch {
	case errors.Is(err, sumu.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, sumu.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, sumu.ErrThrottled), errors.Is(err, sumu.ErrLimit):
		return http.StatusTooManyRequests
	case errors.Is(err, sumu.ErrClosed), errors.Is(err, sumu.ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// guard keeps the pages of other sites away: this server asks nobody for a
// password, and a browser on this machine reaches it whatever page it shows.
// It refuses posts from other origins and, when the server listens on loopback
// only, hosts that are not (a name of another site may resolve to 127.0.0.1).
func guard(next http.Handler, loopback bool) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "this request comes from a page of another site")
	}))
	next = crossOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loopback && !isLoopback(r.Host) {
			fail(w, http.StatusForbidden, "this server answers to localhost and 127.0.0.1 only")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]") // No port.
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
