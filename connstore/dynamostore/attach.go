package dynamostore

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"time"

	"github.com/sumu-live/sumu"
)

// attachTries bounds how often a call begins anew because another removed what
// it was adding, or added what it was removing. The first attempts come without
// a pause.
const attachTries = 20

// staleKeep is for how long a row is written whose expiry is not known yet.
const staleKeep = time.Hour

// What attach returns beside errors of DynamoDB.
var (
	errContended = &sumu.Error{Op: "others were always first", Kind: sumu.ErrConflict}
	errNoRow     = &sumu.Error{Kind: sumu.ErrGone}
	errMost      = &sumu.Error{Kind: sumu.ErrLimit}
)

// attach makes attachments of one connection, all or none:
//
//  1. the reverse rows, each with the name of this write;
//  2. a count of the reverse rows, which therefore sees those of others that
//     have not counted yet: of those too many none gets through;
//  3. the forward rows;
//  4. a look at the connection's row and at the reverse rows. Where the row has
//     gone whoever removed it may have looked for reverse rows too early, so
//     what was added is removed. Where a reverse row has gone, or is another's,
//     somebody ended the attachment meanwhile or is about to; it is begun anew.
//
// prefix is of the reverse rows that count toward most.
func (s *StateStore) attach(ctx context.Context, c sumu.Connection, prefix string, most int, list []attachment) error {
	if len(list) == 0 {
		_, err := s.Get(ctx, c.Ref())
		return err
	}
	adds, call := make([]adding, len(list)), rand.Text()
	for i := range adds {
		adds[i] = adding{attachment: list[i], handle: newHandle(c.Ref()), call: call}
	}
	for try := 1; ; try++ {
		done, err := s.tryAttach(ctx, c, prefix, most, call+"."+text(int64(try)), adds)
		if done || err != nil {
			return err
		}
		if err := turn(ctx, try); err != nil {
			return err
		}
	}
}

// turn waits before another attempt.
func turn(ctx context.Context, try int) error {
	switch {
	case try == attachTries:
		return errContended
	case try <= 3:
		return ctx.Err()
	}
	return pause(ctx, try-3)
}

// adding is an attachment in the midst of being made.
type adding struct {
	attachment
	handle  handle
	call    string // what the names of this call's writes begin with
	shard   int64
	created bool   // nobody had it before this call, nor has added it since
	before  string // this call's earlier write, if it made the attachment
	first   string // the write that made the reverse row, which has been there since
	until   time.Time
}

func (a *adding) forward() item { return a.key(a.shard) }

func (s *StateStore) tryAttach(
	ctx context.Context, c sumu.Connection, prefix string, most int, name string, adds []adding,
) (done bool, err error) {
	h := adds[0].handle
	if now := s.now(); !c.Live(now) { // The caller has an old one; the row's is seen to in the end.
		c.DeleteAt = now.Add(staleKeep)
	}
	err = s.each(len(adds), func(i int) error { return s.putReverse(ctx, c, name, &adds[i]) })
	if err == nil && most > 0 {
		err = s.checkMost(ctx, prefix, most, name, adds)
	}
	if err == nil {
		err = s.each(len(adds), func(i int) error { return s.putForward(ctx, c, name, &adds[i]) })
	}
	if err != nil {
		return false, err
	}
	row, err := s.Get(ctx, c.Ref())
	if errors.Is(err, sumu.ErrGone) {
		// Those who remove the row remove what they find; this is what they
		// may not have found.
		err := s.each(len(adds), func(i int) error { return s.removeForward(ctx, adds[i].forward(), name) })
		if err = errors.Join(err, s.forget(ctx, h)); err == nil {
			err = errNoRow
		}
		return false, err
	}
	if err != nil {
		return false, err
	}
	still, err := s.stillAttached(ctx, h, prefix, name, adds)
	if err != nil || !still {
		return false, errors.Join(err, s.each(len(adds), func(i int) error { return s.removeOrphan(ctx, name, &adds[i]) }))
	}
	return true, s.lastAsLong(ctx, adds, row.DeleteAt)
}

// lastAsLong has attachments expire with their row, should that have been
// renewed unknown to the caller.
func (s *StateStore) lastAsLong(ctx context.Context, adds []adding, deleteAt time.Time) error {
	var rows []reverse
	var forwards []item
	for _, a := range adds {
		if expiry(a.until) != expiry(deleteAt) {
			r := reverse{stateKey(attachedPrefix+a.handle.name, a.sk), a.handle.name}
			maps.Copy(r.item, a.both)
			rows, forwards = append(rows, r), append(forwards, a.forward())
		}
	}
	if err := s.prolongUses(ctx, rows, deleteAt); err != nil {
		return err
	}
	return s.each(len(rows), func(i int) error { return s.prolong(ctx, rows[i], forwards[i], deleteAt) })
}

// expiry is a DeleteAt as it is kept.
func expiry(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// checkMost counts the connection's live reverse rows: 1 RCU for each 4 KB. When
// there are too many it undoes what is not an attachment yet, and returns
// errMost unless all of them were.
func (s *StateStore) checkMost(ctx context.Context, prefix string, most int, name string, adds []adding) error {
	rows, err := s.reverses(ctx, adds[0].handle, prefix)
	if err != nil {
		return err
	}
	live, now := 0, s.now()
	for _, r := range rows {
		if r.live(now) {
			live++
		}
	}
	if live <= most {
		return nil
	}
	refused := false
	for i := range adds {
		a := &adds[i]
		if !a.created {
			// Whoever wrote the forward row has passed this count, and that
			// still holds if the reverse row has been there since.
			it, err := s.load(ctx, stringOf(a.forward()[attrPK]), stringOf(a.forward()[attrSK]))
			if err != nil {
				return err
			}
			if (reverse{it, ""}).live(now) && stringOf(it[attrFirst]) == a.first {
				continue
			}
		}
		refused = true
		if a.before != "" {
			if err := s.removeForward(ctx, a.forward(), a.before); err != nil {
				return err
			}
		}
		// The last to write the reverse row decides on it, and sees to what
		// another has added in the belief that it was there to stay.
		gone, err := s.removeReverse(ctx, stateKey(attachedPrefix+a.handle.name, a.sk), name)
		if err == nil && gone {
			_, err = s.removeUntold(ctx, a.handle, a.sk, a.forward())
		}
		if err != nil {
			return err
		}
	}
	if refused {
		return errMost
	}
	return nil
}

// stillAttached reports whether every reverse row is still as this call has left
// it: strongly consistent. Not one that another has written since: it may be
// about to remove that, as it does not know yet that this call needs it.
func (s *StateStore) stillAttached(ctx context.Context, h handle, prefix, name string, adds []adding) (bool, error) {
	var rows []reverse
	var err error
	if len(adds) == 1 {
		rows = make([]reverse, 1)
		rows[0], err = s.reverseOf(ctx, h, adds[0].sk)
	} else {
		rows, err = s.reverses(ctx, h, prefix)
	}
	ours := make(map[string]bool, len(adds))
	for _, r := range rows {
		ours[r.sk()] = r.write() == name
	}
	for _, a := range adds {
		if !ours[a.sk] {
			return false, err
		}
	}
	return true, err
}

// removeOrphan removes the forward row that this call wrote if the reverse row
// does not tell of it.
func (s *StateStore) removeOrphan(ctx context.Context, name string, a *adding) error {
	r, err := s.reverseOf(ctx, a.handle, a.sk)
	if err != nil || len(r.item) > 0 && r.shard() == a.shard {
		return err
	}
	return s.removeForward(ctx, a.forward(), name)
}
