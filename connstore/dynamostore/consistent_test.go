package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// consistency is what a read asks for; ok is false for what is no read.
func consistency(in any) (what string, consistent, ok bool) {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return fmt.Sprint("GetItem of ", keyOf(in.Key)), aws.ToBool(in.ConsistentRead), true
	case *dynamodb.QueryInput:
		return fmt.Sprint("Query of ", textOf(in.ExpressionAttributeValues[":pk"])), aws.ToBool(in.ConsistentRead), true
	case *dynamodb.ScanInput:
		return fmt.Sprint("Scan of ", *in.TableName), aws.ToBool(in.ConsistentRead), true
	}
	return "", false, false
}

type storeCall = func(ctx context.Context, s *dynamostore.StateStore) error

func drain[R any](seq func(func(R, error) bool)) (err error) {
	for _, err = range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// recipients are the reads that find to whom something is sent. What was
// answered before one of them began, it sees: a connect, a join, a subscribe.
var recipients = map[string]storeCall{
	"ByUser": calls["ByUser"],
	"Members": func(ctx context.Context, s *dynamostore.StateStore) error {
		return drain(s.Members(ctx, "room", ""))
	},
	"Members behind one": func(ctx context.Context, s *dynamostore.StateStore) error {
		return drain(s.Members(ctx, "room", "1/"+strings.Repeat("A", 43)))
	},
	"IsMember": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.IsMember(ctx, ann, "room")
		return err
	},
	"CountMembers": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.CountMembers(ctx, "room")
		return err
	},
	"Subscribers": func(ctx context.Context, s *dynamostore.StateStore) error {
		return drain(s.Subscribers(ctx, event("T", `{"f":1}`), ""))
	},
}

// readers are all other calls that read.
var readers = map[string]storeCall{
	"Get": calls["Get"], "HasLive": calls["HasLive"], "All": calls["All"], "SweepExpired": calls["SweepExpired"],
	"Presence": calls["Presence"], "PresenceRows": calls["PresenceRows"], "LoadRecord": calls["LoadRecord"],
	"PutCapped": calls["PutCapped"],
	"PutCapped above the cap": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "another"}, 1, false)
		return want(err, sumu.ErrLimit)
	},
	"Join": func(ctx context.Context, s *dynamostore.StateStore) error { return s.Join(ctx, annRow, "other", 9) },
	"Join above the limit": func(ctx context.Context, s *dynamostore.StateStore) error {
		return want(s.Join(ctx, annRow, "other", 1), sumu.ErrLimit)
	},
	"Join again above the limit": func(ctx context.Context, s *dynamostore.StateStore) error {
		return errors.Join(s.Join(ctx, annRow, "other", 0), s.Join(ctx, annRow, "room", 1))
	},
	"Join without a row": func(ctx context.Context, s *dynamostore.StateStore) error {
		return want(s.Join(ctx, sumu.Connection{UserID: "bob", ID: "b"}, "room", 9), sumu.ErrGone)
	},
	"Leave":           func(ctx context.Context, s *dynamostore.StateStore) error { return s.Leave(ctx, ann, "room") },
	"Leave no member": func(ctx context.Context, s *dynamostore.StateStore) error { return s.Leave(ctx, ann, "other") },
	"Channels":        func(ctx context.Context, s *dynamostore.StateStore) error { return drain(s.Channels(ctx, ann)) },
	"Subscribe": func(ctx context.Context, s *dynamostore.StateStore) error {
		return s.Subscribe(ctx, annRow, 9, sumu.Subscription{EventType: "U"}, sumu.Subscription{EventType: "V"})
	},
	"Unsubscribe": func(ctx context.Context, s *dynamostore.StateStore) error {
		return s.Unsubscribe(ctx, ann, sumu.Subscription{EventType: "T"}, sumu.Subscription{EventType: "never"})
	},
	"Subscriptions": func(ctx context.Context, s *dynamostore.StateStore) error { return drain(s.Subscriptions(ctx, ann)) },
	"Forget":        func(ctx context.Context, s *dynamostore.StateStore) error { return s.Forget(ctx, ann) },
	"Prolong":       func(ctx context.Context, s *dynamostore.StateStore) error { return s.Prolong(ctx, ann, soon) },
}

func want(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return fmt.Errorf("error is %w, want %w", err, kind)
}

var annRow = sumu.Connection{UserID: ann.UserID, ID: ann.ConnectionID}

// readsOf returns what a call reads, and how.
func readsOf(t *testing.T, call storeCall, optFns ...func(*dynamostore.Options)) (reads map[string]bool) {
	t.Helper()
	s, d := newAttached(t, optFns...)
	if err := call(t.Context(), s); err != nil {
		t.Error(err)
	}
	reads = make(map[string]bool)
	for _, in := range d.calls {
		if what, consistent, ok := consistency(in); ok {
			reads[what] = consistent
		}
	}
	if len(reads) == 0 {
		t.Error("it reads nothing")
	}
	return reads
}

func TestRecipientsAreReadConsistently(t *testing.T) {
	for name, call := range recipients {
		t.Run(name, func(t *testing.T) {
			for what, consistent := range readsOf(t, call) {
				if !consistent {
					t.Errorf("the %s may miss what was answered before", what)
				}
			}
			// Unless it is not wanted: it costs twice as much.
			for what, consistent := range readsOf(t, call, func(o *dynamostore.Options) { o.EventualRecipients = true }) {
				if consistent {
					t.Errorf("with EventualRecipients the %s is strongly consistent", what)
				}
			}
		})
	}
}

// What the package's documentation says of every other read, whatever the
// options.
func TestEveryReadOnWhichAPromiseRestsIsConsistent(t *testing.T) {
	may := func(name, what string, o dynamostore.Options) bool { // be eventually consistent
		switch name {
		case "All":
			return !o.ConsistentAll
		case "SweepExpired":
			return true
		}
		return (name == "Subscribe" || name == "Prolong") && strings.Contains(what, "events/")
	}
	for _, o := range []dynamostore.Options{{}, {EventualRecipients: true}, {ConsistentAll: true}} {
		for name, call := range readers {
			t.Run(fmt.Sprintf("%s/%t,%t", name, o.EventualRecipients, o.ConsistentAll), func(t *testing.T) {
				reads := readsOf(t, call, func(opts *dynamostore.Options) {
					opts.EventualRecipients, opts.ConsistentAll = o.EventualRecipients, o.ConsistentAll
				})
				for what, consistent := range reads {
					if consistent == may(name, what, o) {
						t.Errorf("the %s is strongly consistent: %t", what, consistent)
					}
				}
			})
		}
	}
}

// newAttached returns a store in which ann is in a channel of three shards and
// has subscribed, and what records its calls from now on.
func newAttached(t *testing.T, optFns ...func(*dynamostore.Options)) (*dynamostore.StateStore, *double) {
	t.Helper()
	d := &double{next: newMemDB()}
	s, err := dynamostore.NewWithState(d, append(optFns, func(o *dynamostore.Options) { o.SweepConcurrency = 1 })...)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	err = errors.Join(
		s.Put(ctx, annRow), s.Join(ctx, annRow, "room", 9), s.RaiseShards(ctx, "room", 3),
		s.Subscribe(ctx, annRow, 9, sumu.Subscription{EventType: "T"}, sumu.Subscription{EventType: "T", Field: "f", Filter: "1"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	d.calls = nil
	return s, d
}
