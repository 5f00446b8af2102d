package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// health answers the probes. GET /healthz is 200 as long as the process answers
// at all, also while it drains: what fails it is to be started anew. GET
// /readyz is 200 when connections may be sent here, else 503 with the reason.
type health struct {
	// ready is [gateway.Gateway.Ready]: the lease is held. The first probe takes
	// it; later ones cost nothing.
	ready    func(ctx context.Context) error
	draining atomic.Bool
}

func (h *health) live(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") }

func (h *health) readiness(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if h.ready(ctx) != nil { // The log says why.
		say(w, http.StatusServiceUnavailable, "the lease of this node is not held")
		return
	}
	say(w, http.StatusOK, "ready")
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // The prober has gone: nobody is left to tell.
}
