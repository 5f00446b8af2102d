package presence

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/sumu-live/sumu"
)

// ToNotify returns a publisher that tells everyone but the user in question:
// the event's JSON is sent as a notification. An event counts as accepted when
// client has accepted it. Duplicates of an event have the same notification
// id: the event's own, or one made from it where that is no valid one.
func ToNotify(client sumu.NotifyClient) sumu.PresencePublisher {
	return sumu.PresencePublisherFunc(func(ctx context.Context, e sumu.PresenceEvent) error {
		if client == nil {
			return invalid("ToNotify has no client")
		}
		data, err := json.Marshal(e)
		if err != nil {
			return &sumu.Error{Op: "presence event", Kind: sumu.ErrInvalid, Err: err}
		}
		return client.Send(ctx, sumu.Notification{
			ID:           notificationID(e),
			Everyone:     true,
			ExcludeUsers: []string{e.UserID},
			Data:         data,
		})
	})
}

const (
	hashed       = "sha256." // begins the id of a user that had to be hashed
	maxPlainUser = 100 - len(":") - len("9223372036854775807")
)

// notificationID is the event's id if that is 1 to 100 printable ASCII
// characters without spaces. A user id may be any bytes, up to 2,048.
func notificationID(e sumu.PresenceEvent) string {
	// A user who is called like another's hash must not get that one's id.
	if len(e.UserID) <= maxPlainUser && !strings.HasPrefix(e.UserID, hashed) && !strings.ContainsFunc(e.UserID, unfit) {
		return e.ID()
	}
	sum := sha256.Sum256([]byte(e.UserID))
	return hashed + base64.RawURLEncoding.EncodeToString(sum[:]) + ":" + strconv.FormatInt(e.Version, 10)
}

func unfit(r rune) bool { return r <= ' ' || r > '~' }

// Several returns a publisher for which an event is accepted when every one of
// pubs has accepted it. All are called, one after the other, also after one
// has failed; when the event is published again they all are called again.
// Without any, no event is ever accepted: the error is ErrInvalid.
func Several(pubs ...sumu.PresencePublisher) sumu.PresencePublisher {
	pubs = slices.Clone(pubs)
	return sumu.PresencePublisherFunc(func(ctx context.Context, e sumu.PresenceEvent) error {
		if len(pubs) == 0 {
			return invalid("Several has no publishers")
		}
		var errs []error
		for i, p := range pubs {
			if p == nil {
				errs = append(errs, invalid("publisher %d is nil", i))
				continue
			}
			errs = append(errs, p.PublishPresence(ctx, e))
		}
		return errors.Join(errs...)
	})
}
