package dynamostore

import (
	"context"
	"hash/maphash"
)

// turns let the callers of one user go one after the other, as far as they are
// in this process. What keeps them right is in DynamoDB; this spares them the
// transactions that would be cancelled, which cost as much as others.
type turns struct {
	seed  maphash.Seed
	locks [256]chan struct{} // by a hash of the user; some users share one
}

func newTurns() *turns {
	t := &turns{seed: maphash.MakeSeed()}
	for i := range t.locks {
		t.locks[i] = make(chan struct{}, 1)
	}
	return t
}

// enter waits for the caller's turn, which lasts until leave is called. The
// error is that of ctx.
func (t *turns) enter(ctx context.Context, user string) (leave func(), err error) {
	lock := t.locks[maphash.String(t.seed, user)%uint64(len(t.locks))]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
