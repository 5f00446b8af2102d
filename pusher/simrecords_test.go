package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// The records of a worker go by its seam, too. The model reads of their values
// the state and the end of a lease, and nothing else.

func (s *seam) LoadRecord(_ context.Context, kind, key string) (r sumu.Record, err error) {
	err = s.call("load "+key, ofStore, func() (err error) {
		r, err = s.Store.LoadRecord(bg, kind, s.keyOf(key))
		return err
	})
	if err != nil || r.Rev == 0 || kind != "push" {
		return r, err
	}
	v := members(r.Value)
	state := stateOf(r.Value)
	switch b := s.w.broken; {
	case b == doneForgotten && state == "done", b == settledPosted && state == "settled":
		delete(v, "rest")
		v["state"], v["until"] = json.RawMessage(`"lease"`), json.RawMessage("1")
	case b == leaseIgnored && state == "lease":
		v["until"] = json.RawMessage("1")
	case b == leaseKept && state == "lease":
		v["until"] = json.RawMessage(fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
	default:
		if state == "settled" {
			s.w.stats.resumed++
		}
		return r, nil
	}
	r.Value, err = json.Marshal(v)
	s.w.must(err)
	return r, nil
}

func (s *seam) SaveRecord(_ context.Context, r sumu.Record) error {
	w := s.w
	state := stateOf(r.Value)
	lease := state == "lease"
	key := r.Key
	r.Key = s.keyOf(key)
	effect := false
	err := s.call(fmt.Sprintf("save %s %s rev %d", state, key, r.Rev), ofStore, func() error {
		switch b := w.broken; {
		case b == noLease && lease:
			return nil
		case b == noLease, b == blindSettle && !lease:
			stored, err := s.Store.LoadRecord(bg, r.Kind, r.Key)
			w.must(err)
			r.Rev = stored.Rev + 1
		case b == leaseTooShort && lease:
			v := members(r.Value)
			v["until"] = json.RawMessage(fmt.Sprint(time.Now().Add(time.Second).UnixMilli()))
			value, err := json.Marshal(v)
			w.must(err)
			r.Value = value
		case b == countedAtPush && lease:
			defer w.count(key)
		}
		err := s.Store.SaveRecord(bg, r)
		switch {
		case err == nil:
			effect = true
			s.states[key] = state
			if lease && r.Rev > 1 {
				w.stats.takeovers++
			}
			if state == "held" {
				w.stats.held++
			}
			if r.Kind != "push" {
				w.stats.pieces++
			}
		case errors.Is(err, sumu.ErrConflict):
			w.stats.conflicts++
		}
		return err
	})
	if err == nil || lease {
		return err
	}
	switch {
	case r.Kind != "push":
		s.piecesRefused = true // Or not known to be written, which ends it, too.
	case !effect:
		s.refused[key] = true
	}
	switch b := w.broken; {
	case b == settleConflictIgnored && errors.Is(err, sumu.ErrConflict), b == settleFailureIgnored && errors.Is(err, errFault):
		return nil
	}
	return err
}

// keyOf is the key under which a record is kept.
func (s *seam) keyOf(key string) string {
	switch s.w.broken {
	case keyIsID:
		id, _, _ := strings.Cut(key, "/")
		return id
	case keyHasAttempt:
		n := s.w.keyed[key]
		id, _, _ := strings.Cut(key, "/")
		return fmt.Sprintf("%s/%d/%d", id, n.Attempt, n.Segment.Index)
	}
	return key
}

func stateOf(value []byte) string {
	var v struct{ State string }
	_ = json.Unmarshal(value, &v) // A remainder's own record has none.
	return v.State
}

func members(value []byte) map[string]json.RawMessage {
	v := map[string]json.RawMessage{}
	_ = json.Unmarshal(value, &v)
	return v
}
