package pusher

import (
	"encoding/json"
	"time"

	"github.com/sumu-live/sumu"
)

// Restored is a child as a Worker reads it from its record of the parent.
func Restored(parent, child *sumu.Notification) (sumu.Notification, error) {
	text, err := json.Marshal(restOf(child, ""))
	if err != nil {
		return sumu.Notification{}, err
	}
	var r rest
	if err := json.Unmarshal(text, &r); err != nil {
		return sumu.Notification{}, err
	}
	return r.child(parent), nil
}

// SetRandom replaces the source of chance, for tests that must repeat.
func (p *Pusher) SetRandom(f func(time.Duration) time.Duration) { p.random = f }

// SetInline bounds how much of a remainder goes into one record.
func (w *Worker) SetInline(bytes int) { w.inline = bytes }
