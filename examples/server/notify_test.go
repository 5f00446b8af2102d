package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
)

// A backend that posts while the queue does not answer is told to come again,
// and when.
func TestNotifyQueueDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // What the caller would wait.
		defer cancel()
		silent := clientFunc(func(ctx context.Context, _ sumu.Notification) error {
			<-ctx.Done()
			return &sumu.Error{Op: "send", Kind: sumu.ErrUnavailable, Err: ctx.Err()}
		})
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/notify", strings.NewReader(`{"everyone":true,"data":1}`))
		r.Header.Set("Authorization", "Bearer "+notifySecret)
		w := httptest.NewRecorder()
		notifyHandler(silent, notifySecret)(w, r)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || ctx.Err() != nil {
			t.Errorf("answered %d, Retry-After %q, the caller %v; want 503 with Retry-After in time",
				w.Code, w.Header().Get("Retry-After"), ctx.Err())
		}
	})
}
