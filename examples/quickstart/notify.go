package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

// maxNotify is the largest body of POST /notify: data of the largest size, and
// room for a long list of users.
const maxNotify = 8 * sumu.MaxPayload

const (
	// maxWait is how long a post waits for room in the queue: shorter than
	// backends wait for an answer, and than proxies do.
	maxWait = 5 * time.Second
	// retryAfter is when to come again, in seconds, with 429 and 503.
	retryAfter = "1"
)

// notifyHandler takes a notification request from a backend:
//
//	curl http://127.0.0.1:8080/notify -H 'Content-Type: application/json' \
//	  -d '{"users":["ann"],"data":{"type":"notice","text":"Hello"}}'
//
// It answers 202 with the notification's id once the queue has it, and 503 with
// Retry-After when the queue is full: the backend is to send it again.
//
// Everybody is told with "everyone":true, and not by naming nobody.
// With "channels":["room.kitchen"] it reaches those in a room, and
// {"event":{"type":"Click","payload":{"color":"red"}}} those who have subscribed.
//
// It is open to everyone who reaches the address, which is loopback unless you
// say otherwise: put your own authentication in front of anything like it.
func notifyHandler(client sumu.NotifyClient) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := readJSON(w, r, maxNotify)
		if !ok {
			return
		}
		var n sumu.Notification
		err := n.UnmarshalJSON(body)
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
			status := statusOf(err)
			if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", retryAfter)
			}
			fail(w, status, reason(err))
			return
		}
		answer(w, http.StatusAccepted, map[string]string{"id": id})
	}
}

// reason is what a caller may read of an error: what is wrong with the
// request, or what kind of trouble there is.
func reason(err error) string {
	switch statusOf(err) {
	case http.StatusBadRequest:
		return strings.TrimSuffix(err.Error(), ": "+sumu.ErrInvalid.Error())
	case http.StatusRequestEntityTooLarge:
		return strings.TrimSuffix(err.Error(), ": "+sumu.ErrTooLarge.Error())
	case http.StatusServiceUnavailable:
		return "the server is shutting down or busy; try again later"
	}
	return strings.ToLower(http.StatusText(statusOf(err)))
}
