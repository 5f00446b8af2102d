package main

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
)

// fullQueue is a client that waits for room that never comes.
var fullQueue = clientFunc(func(ctx context.Context, _ sumu.Notification) error {
	<-ctx.Done()
	return &sumu.Error{Op: "send", Kind: sumu.ErrUnavailable, Err: ctx.Err()}
})

// A backend that posts while the queue is full is told to come again, and when.
func TestNotifyFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // What the caller would wait.
		defer cancel()
		w := httptest.NewRecorder()
		notifyHandler(fullQueue)(w, jsonRequest(`{"everyone":true,"data":1}`).WithContext(ctx))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || ctx.Err() != nil {
			t.Errorf("answered %d, Retry-After %q, the caller %v; want 503 with Retry-After in time",
				w.Code, w.Header().Get("Retry-After"), ctx.Err())
		}
	})
}
