//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/issuer"
)

const keysPath = issuer.Path

// serveIssuer stands in for Cognito, Auth0, Firebase, …: it gives a token in the
// name of anybody to anybody, and so listens to this machine alone.
func serveIssuer(port int) (url string, end func(), err error) {
	iss, err := issuer.New("ES256")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+keysPath, iss)
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		user := r.URL.Query().Get("user")
		if sumu.ValidateUserID(user) != nil {
			http.Error(w, "name a user: /token?user=ann", http.StatusBadRequest)
			return
		}
		token, err := iss.Sign(map[string]any{
			"iss": issuerName, "aud": issuerName, "sub": user, "exp": time.Now().Add(time.Hour).Unix(),
		})
		if err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, token) // The client has gone: nobody is left to tell.
	})
	listener, err := listen(port)
	if err != nil {
		return "", nil, fmt.Errorf("issuer: %w", err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // It ends with Close alone.
	}()
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); <-ended }, nil
}
