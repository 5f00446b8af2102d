package pusher

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/sumu-live/sumu"
)

// Options tune a [Pusher]. The zero value of a field is its default.
type Options struct {
	// Concurrency is how many posts are in flight at once, of which a batch is
	// one. Default 64; 1 to 10,000.
	Concurrency int
	// Batch is how many connections one request posts to at most, where the
	// sender is a [sumu.BatchSender] and takes a batch for their endpoint. A
	// connection waits half a second at most for others. A batch whose answer
	// is lost may have been delivered to all of them, and is tried again.
	// Default 1,000; at most 10,000; 1 or a negative value: each post is a
	// request of its own.
	Batch int
	// Lookahead is how many users and connections are looked up in the store
	// ahead of the posts, each in a goroutine. Default 16; 1 to 1,000. With 1
	// they are looked up one after another, when their turn comes.
	Lookahead int

	// Tries is how often one push tries a post before it leaves it to the
	// remainder. Default 3; 1 to 10. Between the tries the push waits, but
	// holds up no other target of its batch. Use 1 where the caller has a
	// queue that costs nothing, such as notify.Local.
	Tries int
	// Backoff is the longest pause before the second try; it doubles with each
	// further one, and the actual pause is random between half of it and all.
	// Default 100 ms; at most 1 min.
	Backoff time.Duration
	// Attempts is how often the targets of a notification are pushed in all,
	// over its remainders: what then may still succeed is failed. Default 5;
	// 1 to 100. A push that a fault of others cut short is no attempt; see MaxOutage.
	Attempts int
	// MaxOutage is for how long targets are pushed again that were not reached
	// by a fault which is not theirs: a look-up failed, a post found its node
	// down, timed out, or was refused for all; see [sumu.Notification.Since].
	// What is not reached until then is failed. Choose at most the retention of
	// the queue that remainders go to. Default 96 h, which is SQS's default
	// retention (345,600 s, read 2026-11); 1 s to 14 days.
	MaxOutage time.Duration
	// PostTimeout is how long one post may take: it is given this much, and at
	// most a sixteenth more. Default 10 s; 1 ms to 1 h.
	PostTimeout time.Duration

	// PruneAge: a connection that was accepted less than this ago is not
	// pruned when a post finds it gone, because it may just be opening.
	// Default 5 s; a negative value means 0.
	PruneAge time.Duration

	// Envelope wraps the data as {"type":"notification","id":"…","data":…}.
	// Default: clients receive the data alone.
	Envelope bool
	// BareChannels sends the members of a channel the data alone. Default:
	// {"type":"message","channel":"…","from":"…","id":"…","data":…}, so that
	// they can tell where it comes from; "from" is the user who sent it, if one did.
	BareChannels bool
	// RequireEveryone refuses a request that is for everyone because it names
	// nobody, or has an empty list of users, as a program may have computed it:
	// one for everyone has to say "everyone": true. What notify sends does.
	// Default: as the wire format says.
	RequireEveryone bool

	// Observer is told of posts, prunes and pushes.
	Observer sumu.Observer
	// Logger is told of pushes that failed, whole or for some connections, and of
	// what is given up: of each one line a second at most, with the count.
	// Default: [slog.Default], warnings and errors; slog.New(slog.DiscardHandler)
	// for silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

func inRange[T int | time.Duration](name string, v, low, high T) error {
	if v < low || v > high {
		return invalid("%s is %v; it must be %v to %v", name, v, low, high)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
