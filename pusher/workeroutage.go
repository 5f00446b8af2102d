package pusher

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	probeKind = "push.probe"
	probeName = "sumu.probe" // of a user, connected or not
	probeKeep = time.Minute
)

// Probe returns nil when what any message needs works: a record can be written,
// if there are Records, and the store be read. Ask it whether an outage is over,
// which [sumu.Outcome]'s Fault tells of: it costs a write and a read. It does
// not post, and asks nothing of the queue for remainders.
func (w *Worker) Probe(ctx context.Context) error {
	var saved error
	if w.opts.Records != nil {
		saved = safely(func() error {
			return w.opts.Records.SaveRecord(ctx, sumu.Record{
				Kind: probeKind, Key: sumu.NewID(), Value: []byte("{}"), Rev: 1,
				DeleteAt: w.p.opts.Now().Add(probeKeep).Truncate(time.Second),
			})
		})
	}
	read := safely(func() error {
		_, err := w.p.store.HasLive(ctx, probeName)
		return err
	})
	if err := errors.Join(saved, read); err != nil {
		return &sumu.Error{Op: "probe", Err: err}
	}
	return nil
}
