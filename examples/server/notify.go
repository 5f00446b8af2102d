package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

// maxNotify is the largest body of POST /notify: as much as SQS takes.
const maxNotify = 8 * sumu.MaxPayload

const (
	// maxWait is how long a post waits for the queue's answer: shorter than
	// backends wait for ours, and than load balancers do.
	maxWait = 10 * time.Second
	// retryAfter is when to come again, in seconds, with 503.
	retryAfter = "1"
)

// notifyHandler puts a notification of a backend into the queue. It answers
// 202 with the notification's id once the queue has it, and 503 with Retry-After
// when the queue does not answer or refuses.
//
//	curl http://127.0.0.1:8081/notify -H "Authorization: Bearer $SUMU_NOTIFY_SECRET" \
//	  -d '{"users":["ann"],"data":{"type":"notice","text":"Hello"}}'
//
// Everybody is told with "everyone":true, and not by naming nobody.
func notifyHandler(client sumu.NotifyClient, secret string) http.HandlerFunc {
	want := sha256.Sum256([]byte(secret)) // Hashed: a comparison must not tell its length.
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(token))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, "error", "the bearer secret is missing or wrong")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotify))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			answer(w, http.StatusRequestEntityTooLarge, "error", "the body is too large")
			return
		}
		if err != nil {
			answer(w, http.StatusBadRequest, "error", "the body ended too early")
			return
		}
		var n sumu.Notification
		err = n.UnmarshalJSON(body)
		if err == nil {
			err = n.CheckExplicit() // Who forgets the users must not tell everybody.
		}
		var id string
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), maxWait)
			defer cancel()
			id, err = notify.Send(ctx, client, n)
		}
		if err != nil {
			status, reason := statusOf(err)
			if status == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", retryAfter)
			}
			answer(w, status, "error", reason)
			return
		}
		answer(w, http.StatusAccepted, "id", id)
	}
}

// statusOf is what a caller may know of an error: its own mistakes in full, ours
// by their kind.
func statusOf(err error) (status int, reason string) {
	switch {
	case errors.Is(err, sumu.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, sumu.ErrInvalid):
		return http.StatusBadRequest, err.Error()
	case errors.Is(err, sumu.ErrThrottled), errors.Is(err, sumu.ErrUnavailable):
		return http.StatusServiceUnavailable, "the queue does not answer; try again later"
	}
	return http.StatusInternalServerError, "internal server error"
}

func answer(w http.ResponseWriter, status int, key, value string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{key: value}) // The client has gone: nobody is left to tell.
}
