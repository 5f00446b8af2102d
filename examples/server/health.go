package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

// health answers GET /healthz: 200 when connections may be sent here, else 503
// with the reason.
//
// The gateway takes its lease for the first connection, so a node that had none
// is ready when the lease could be read: the table is there. From then on it is
// ready as long as the lease is held. A probe costs 1 RCU.
type health struct {
	leases   sumu.StateStore
	endpoint string // the lease's key

	held     atomic.Bool // the lease was seen
	draining atomic.Bool
}

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	reason := h.notReady(r.Context())
	if reason != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, reason+"\n")
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

func (h *health) notReady(ctx context.Context) string {
	if h.draining.Load() {
		return "draining"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	lease, err := h.leases.LoadRecord(ctx, "lease", h.endpoint)
	switch {
	case err != nil:
		return "the state table does not answer"
	case lease.Rev > 1: // Revision 1 is that of a sweep, or of a node that is just taking it.
		h.held.Store(true)
	case h.held.Load():
		return "the lease of this node is lost"
	}
	return ""
}
