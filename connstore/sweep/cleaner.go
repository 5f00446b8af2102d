package sweep

import (
	"context"
	"errors"
	"sync"

	"github.com/sumu-live/sumu"
)

// cleanerConcurrency is how many connections a Cleaner deals with at a time.
const cleanerConcurrency = 8

// Cleaner removes the memberships and subscriptions of connections whose rows
// were removed by somebody who did not: DynamoDB's expiry, a sweep, another
// program, an App that crashed between two steps. It is a
// [sumu.PresenceWatcher], so that whatever follows a store's changes for
// presence drives it too:
//
//	watcher := sumu.Watchers(presenceWatcher, cleaner)
//
// It is safe for concurrent use and needs no closing.
type Cleaner struct {
	store sumu.Store
}

var _ sumu.PresenceWatcher = (*Cleaner)(nil)

// NewCleaner returns a cleaner of a store. One that is no
// [sumu.AttachmentStore] is asked nothing. ErrInvalid is returned when store is
// nil.
func NewCleaner(store sumu.Store) (*Cleaner, error) {
	if store == nil {
		return nil, &sumu.Error{Op: "sweep: store is nil", Kind: sumu.ErrInvalid}
	}
	return &Cleaner{store}, nil
}

// Observe has the store forget each connection of the changes that has no row,
// once: changes may come twice and in any order, and one that tells of a row
// that was written costs a read (with DynamoDB 1 RCU). A change without a
// ConnectionID stands for several that were joined, of which nothing can be
// forgotten; only stores that forget by themselves have such. The first result
// has one outcome for each change, the second joins them.
func (c *Cleaner) Observe(ctx context.Context, changes ...sumu.Change) ([]error, error) {
	outcomes := make([]error, len(changes))
	if _, ok := c.store.(sumu.AttachmentStore); !ok {
		return outcomes, nil
	}
	asking := make(map[sumu.ConnectionRef][]int, len(changes))
	var refs []sumu.ConnectionRef
	for i, change := range changes {
		ref := sumu.ConnectionRef(change)
		if ref.ConnectionID == "" {
			continue
		}
		if asking[ref] == nil {
			refs = append(refs, ref)
		}
		asking[ref] = append(asking[ref], i)
	}
	next := make(chan sumu.ConnectionRef)
	var wg sync.WaitGroup
	for range min(len(refs), cleanerConcurrency) {
		wg.Go(func() {
			for ref := range next {
				err := c.forget(ctx, ref)
				for _, i := range asking[ref] {
					outcomes[i] = err
				}
			}
		})
	}
	for _, ref := range refs {
		next <- ref
	}
	close(next)
	wg.Wait()
	return outcomes, errors.Join(outcomes...)
}

// forget contains a panic of the store: it would end the whole process.
func (c *Cleaner) forget(ctx context.Context, ref sumu.ConnectionRef) (err error) {
	defer sumu.RecoverTo(&err)
	if _, err := sumu.ForgetGone(ctx, c.store, ref); err != nil {
		return &sumu.Error{Op: "clean", Err: err}
	}
	return nil
}
