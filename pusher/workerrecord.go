package pusher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	recordKind = "push"
	restKind   = "push.rest"
	// maxInline is how long the remainder within a record may be. A longer one
	// is kept in records of its own, its pieces.
	maxInline = sumu.MaxRecordValue - 4<<10
	maxPieces = 1_000
)

// The states of a record.
const (
	leased  = "lease"   // a worker posts, or has died while it did
	held    = "held"    // the remainder waits here for the same message
	settled = "settled" // the remainder must be sent
	done    = "done"
)

// record is what is known of a message: the value of a [sumu.Record].
type record struct {
	State string `json:"state"`
	// Token tells the writes of one worker from all others', also when the
	// answer to a write was lost.
	Token string `json:"token"`
	Until int64  `json:"until,omitempty"` // of a lease or a pause: epoch ms
	Fault bool   `json:"fault,omitempty"` // of a pause: a fault is what it waits out
	// Print is the fingerprint of the notification: another one that comes
	// with the same id is not taken for it.
	Print string `json:"print"`
	// Counts is what was settled: targets, delivered, gone, failed, requeued.
	Counts *[5]int `json:"counts,omitempty"`
	Rest   []rest  `json:"rest,omitempty"`
	// Pieces: the Rest is in so many records named after At.
	Pieces int    `json:"pieces,omitempty"`
	At     string `json:"at,omitempty"`
}

// rest is what a child does not share with its parent, whose message is at
// hand whenever the record is read.
type rest struct {
	Part        string               `json:"part"`
	Attempt     int                  `json:"attempt,omitempty"`
	Since       int64                `json:"since,omitempty"` // epoch ms
	Users       []string             `json:"users,omitempty"`
	Channels    []string             `json:"channels,omitempty"`
	Event       bool                 `json:"event,omitempty"` // to the subscribers of the parent's
	Connections []sumu.ConnectionRef `json:"connections,omitempty"`
	Everyone    bool                 `json:"everyone,omitempty"`
	Segment     sumu.Segment         `json:"segment,omitzero"`
	After       string               `json:"after,omitempty"`
	GivenUp     string               `json:"given_up,omitempty"` // why
	// Frame is what connections are sent that were found in a channel or by an
	// event: as bytes, because encoding/json would rewrite JSON.
	Frame []byte `json:"frame,omitempty"`
	// ExcludeChannels are the parent's, and those that were reached before.
	ExcludeChannels []string `json:"exclude_channels,omitempty"`

	cause error // the same, unless it was read from a record
}

func restOf(n *sumu.Notification, givenUp string) rest {
	r := rest{
		Part: n.Part, Attempt: n.Attempt, Users: n.Users, Channels: n.Channels, Connections: n.Connections,
		Everyone: n.Everyone, Event: n.Event != nil, Segment: n.Segment, After: n.After, GivenUp: givenUp,
		ExcludeChannels: n.ExcludeChannels,
	}
	if n.Framed {
		r.Frame = n.Data
	}
	if !n.Since.IsZero() {
		r.Since = n.Since.UnixMilli()
	}
	return r
}

// child is the notification that a rest of parent stands for.
func (r *rest) child(parent *sumu.Notification) sumu.Notification {
	n := withoutTargets(parent)
	n.Part, n.Attempt = r.Part, r.Attempt
	n.Users, n.Connections, n.Everyone = slices.Clone(r.Users), slices.Clone(r.Connections), r.Everyone
	n.Channels, n.Segment, n.After = slices.Clone(r.Channels), r.Segment, r.After
	if r.Event && parent.Event != nil {
		n.Event = &sumu.Event{Type: parent.Event.Type, Payload: parent.Event.Payload}
	}
	if r.Frame != nil {
		n.Data, n.Framed, n.From = r.Frame, true, ""
	}
	n.ExcludeChannels = slices.Clone(r.ExcludeChannels)
	if r.Since != 0 {
		n.Since = time.UnixMilli(r.Since)
	}
	return n
}

// fingerprint tells notifications apart that carry the same id. The deadline
// is left out: whoever sends a request again may move it.
func fingerprint(n *sumu.Notification) string {
	h := sha256.New()
	write := func(s string) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		h.Write(size[:])
		h.Write([]byte(s))
	}
	lists := [][]string{n.Users, n.Channels, n.ExcludeUsers, n.ExcludeConnections}
	for _, list := range lists {
		write(strconv.Itoa(len(list)))
		for _, s := range list {
			write(s)
		}
	}
	for _, ref := range n.Connections {
		write(ref.UserID)
		write(ref.ConnectionID)
	}
	s := n.Segment
	write(strconv.Itoa(s.Index) + "/" + strconv.Itoa(s.Count))
	write(s.After.UserID)
	write(s.After.ConnectionID)
	write(n.After)
	h.Write(n.Data)
	// What there was before channels and events keeps its fingerprint: a record
	// of an earlier build is recognized.
	if len(n.ExcludeChannels) > 0 || n.Event != nil || n.From != "" || n.Framed {
		write("channels, events")
		for _, c := range n.ExcludeChannels {
			write(c)
		}
		write(n.From)
		write(strconv.FormatBool(n.Framed))
		if n.Event != nil {
			write(n.Event.Type)
			write(string(n.Event.Payload))
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

var errNotOurs = errors.New("not a record of this program, or of another version")

func parseRecord(value []byte) (r record, err error) {
	err = json.Unmarshal(value, &r)
	known := r.State == leased || r.State == done
	if r.State == held || r.State == settled {
		known = len(r.Rest) > 0 || r.Pieces > 0
	}
	if err != nil || !known || r.Pieces < 0 || r.Pieces > maxPieces {
		return record{}, &sumu.Error{Op: "read record", Kind: sumu.ErrUnavailable, Err: errNotOurs}
	}
	return r, nil
}

// join reads the remainder that a record keeps elsewhere.
func (w *Worker) join(ctx context.Context, r *record) error {
	var text []byte
	for i := range r.Pieces {
		err := safely(func() error {
			piece, err := w.opts.Records.LoadRecord(ctx, restKind, pieceKey(r.At, i))
			if err == nil && piece.Rev == 0 {
				err = &sumu.Error{Op: "remainder", Kind: sumu.ErrUnavailable, Err: errNotOurs}
			}
			text = append(text, piece.Value...)
			return err
		})
		if err != nil {
			return err
		}
	}
	if r.Pieces > 0 && json.Unmarshal(text, &r.Rest) != nil {
		return &sumu.Error{Op: "read remainder", Kind: sumu.ErrUnavailable, Err: errNotOurs}
	}
	return nil
}

func pieceKey(at string, i int) string { return at + "." + strconv.Itoa(i) }

// divide keeps a remainder that is too long for its record in others. Nothing
// refers to them until the record itself is written.
func (w *Worker) divide(ctx context.Context, r *record) error {
	text, err := json.Marshal(r.Rest)
	if err != nil || len(text) <= w.inline {
		return err
	}
	if len(text) > maxPieces*w.inline {
		return &sumu.Error{Op: "remainder", Kind: sumu.ErrTooLarge}
	}
	r.At, r.Pieces = r.Token, 0
	for piece := range slices.Chunk(text, w.inline) {
		_, err := w.save(ctx, sumu.Record{
			Kind: restKind, Key: pieceKey(r.At, r.Pieces), Value: piece, Rev: 1, DeleteAt: w.expiry(),
		})
		if err != nil {
			return err
		}
		r.Pieces++
	}
	return nil
}

// write writes a record on the condition that rev is the next one. With
// ErrConflict it returns what is there instead.
func (w *Worker) write(ctx context.Context, key string, r record, rev int64) (sumu.Record, error) {
	if r.Pieces > 0 {
		r.Rest = nil
	}
	value, err := json.Marshal(r)
	if err != nil {
		return sumu.Record{}, err
	}
	return w.save(ctx, sumu.Record{Kind: recordKind, Key: key, Value: value, Rev: rev, DeleteAt: w.expiry()})
}

func (w *Worker) expiry() time.Time {
	// Kept to the second: rounded up, never down.
	return w.p.opts.Now().Add(w.opts.Keep).Truncate(time.Second).Add(time.Second)
}

const (
	saveTries = 3
	savePause = 100 * time.Millisecond
)

// save writes a record, and tries again where that may help: what was posted
// and cannot be settled is posted again. A conflict may be with this very
// write, whose answer was lost, here or within the store's client.
func (w *Worker) save(ctx context.Context, r sumu.Record) (found sumu.Record, err error) {
	for try := 1; ; try++ {
		err = safely(func() error { return w.opts.Records.SaveRecord(ctx, r) })
		if errors.Is(err, sumu.ErrConflict) {
			conflict := err
			err = safely(func() (err error) {
				found, err = w.opts.Records.LoadRecord(ctx, r.Kind, r.Key)
				return err
			})
			switch {
			case err == nil && found.Rev == r.Rev && bytes.Equal(found.Value, r.Value):
				return found, nil
			case err == nil:
				return found, conflict
			}
		}
		if err == nil || try == saveTries || !sumu.Retryable(err) || !w.wait(ctx, savePause<<(try-1)) {
			return found, err
		}
	}
}

// wait reports whether ctx lasted.
func (w *Worker) wait(ctx context.Context, longest time.Duration) bool {
	t := time.NewTimer(w.jitter(longest))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
