// Package storetest is the conformance suite of [sumu.Store] and its optional
// powers. Every driver runs it, and its test file is little more than this:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) sumu.Store {
//			return new(memstore.Store)
//		}, storetest.Features{
//			Touch: true, Sweep: true, Changes: true, Presence: true,
//			State: true, Cap: true, Refresh: true,
//			Channels: true, Subscriptions: true,
//		})
//	}
//
// A case is named after the sentence of the contract that it holds a driver to.
// Errors are told by their kind, with [errors.Is]: a driver need not use
// [sumu.Error], only wrap what the contract names.
//
// The suite is itself held to account: its tests run it against stores that
// break one rule each, and it must name the rule.
package storetest

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// Features declare what a driver can do. The suite fails when a driver does
// not implement what it declares, and when it implements what it does not
// declare: nothing goes untested.
type Features struct {
	Touch    bool // it is a [sumu.Toucher]
	Sweep    bool // it is a [sumu.Sweeper]
	Changes  bool // it is a [sumu.ChangeFeed]
	Presence bool // it is a [sumu.PresenceStore]
	State    bool // it is a [sumu.StateStore]
	Cap      bool // it is a [sumu.Capper]
	Refresh  bool // it is a [sumu.Refresher]

	Channels      bool // it is a [sumu.ChannelStore]
	Subscriptions bool // it is a [sumu.SubscriptionStore]

	// Now is the clock of the stores. Default [time.Now]. Required with Advance.
	Now func() time.Time
	// Advance moves that clock forward. Without it the cases in which a row
	// expires while it is being watched are left out; rows that have expired
	// when they are written are tested nevertheless.
	Advance func(d time.Duration)

	// CatchUp, if set, says that All and SweepExpired may lag a write, which no
	// other read may: it returns once they see what was written to the store
	// before. That of a [Lagging] store is [CatchUp]; that of a table far away
	// may wait for a second. Default nil: they do not lag.
	CatchUp func(s sumu.Store)

	// Crowd is how many rows of one user are more than the store reads at a
	// time. Default 3,000: more than DynamoDB's page of 1 MB. A store whose
	// pages can be made small is tested sooner with fewer: above four pages.
	Crowd int
	// Rounds is how often two writers are set against each other, where the
	// order matters. Default 200.
	Rounds int

	patience time.Duration // see defaultPatience
	crowd    int           // see defaultCrowd
	rounds   int           // see defaultRounds
	only     string        // leaves out the cases whose names do not begin so
}

// Run runs the suite. newStore is called once for each case, from the test's
// own goroutine, and returns a store without rows; whatever it opens it closes
// with t.Cleanup. There are some 60,000 calls of the store, most of them made
// many at a time.
func Run(t *testing.T, newStore func(t *testing.T) sumu.Store, f Features) {
	t.Helper()
	run(testingT{t}, func(t tb) sumu.Store { return newStore(t.(testingT).T) }, f)
}

// testCase is a sentence of the contract and how it is tested.
type testCase struct {
	name string
	test func(e *env)
}

// cases returns the cases that the features ask for.
func cases(f Features) []testCase {
	all := [][]testCase{
		rowCases, inputCases, expiryCases, pruneCases, byUserCases,
		allCases, resumeCases, scanCases, contextCases, concurrencyCases,
	}
	for _, power := range []struct {
		declared bool
		cases    []testCase
	}{
		{f.Touch, touchCases},
		{f.Sweep, sweepCases},
		{f.Changes, changeCases},
		{f.Presence, presenceCases},
		{f.Presence, presenceScanCases},
		{f.State, recordCases},
		{f.State, recordInputCases},
		{f.State, recordExpiryCases},
		{f.State, recordRaceCases},
		{f.Cap, capCases},
		{f.Cap, evictCases},
		{f.Cap, capRaceCases},
		{f.Refresh, refreshCases},
		{f.Channels, channelCases},
		{f.Channels, memberCases},
		{f.Channels, channelRowCases},
		{f.Subscriptions, subscriptionCases},
		{f.Subscriptions, subscriberCases},
		{f.Advance != nil, advanceCases},
		{f.Advance != nil && f.Touch, advanceTouchCases},
		{f.Advance != nil && f.Sweep, advanceSweepCases},
		{f.Advance != nil && f.Presence, advancePresenceCases},
		{f.Advance != nil && f.State, advanceRecordCases},
		{f.Advance != nil && f.Cap, advanceCapCases},
		{f.Advance != nil && f.Refresh, advanceRefreshCases},
		{f.Advance != nil && f.Channels, advanceChannelCases},
		{f.Advance != nil && f.Channels && f.Touch, advanceTouchChannelCases},
		{f.Advance != nil && f.Subscriptions, advanceSubscriptionCases},
		{f.Advance != nil && f.Subscriptions && f.Touch, advanceTouchSubscriptionCases},
	} {
		if power.declared {
			all = append(all, power.cases)
		}
	}
	var flat []testCase
	for _, cases := range all {
		flat = append(flat, cases...)
	}
	return flat
}

func run(t tb, newStore func(t tb) sumu.Store, f Features) {
	t.Helper()
	if f.Now == nil {
		if f.Advance != nil {
			t.Fatalf("storetest: Features.Advance needs Features.Now")
		}
		f.Now = time.Now
	}
	if f.patience == 0 {
		f.patience = defaultPatience
	}
	if f.crowd == 0 {
		f.crowd = cmp.Or(f.Crowd, defaultCrowd)
	}
	if f.rounds == 0 {
		f.rounds = cmp.Or(f.Rounds, defaultRounds)
	}
	agree := true
	t.run("A driver implements exactly the powers that it declares", func(t tb) {
		agree = checkFeatures(t, newStore(t), f)
	})
	if !agree {
		return // The cases of the powers could only panic.
	}
	for _, c := range cases(f) {
		if !strings.HasPrefix(c.name, f.only) {
			continue
		}
		t.run(c.name, func(t tb) {
			c.test(&env{tb: t, ctx: t.Context(), store: newStore(t), f: f})
		})
	}
}

// checkFeatures reports whether what is declared is what is implemented.
func checkFeatures(t tb, store sumu.Store, f Features) bool {
	t.Helper()
	_, touch := store.(sumu.Toucher)
	_, sweep := store.(sumu.Sweeper)
	_, changes := store.(sumu.ChangeFeed)
	_, presence := store.(sumu.PresenceStore)
	_, state := store.(sumu.StateStore)
	_, capped := store.(sumu.Capper)
	_, refresh := store.(sumu.Refresher)
	_, channels := store.(sumu.ChannelStore)
	_, subscriptions := store.(sumu.SubscriptionStore)
	agree := true
	for _, power := range []struct {
		name                  string
		declared, implemented bool
	}{
		{"Touch", f.Touch, touch},
		{"Sweep", f.Sweep, sweep},
		{"Changes", f.Changes, changes},
		{"Presence", f.Presence, presence},
		{"State", f.State, state},
		{"Cap", f.Cap, capped},
		{"Refresh", f.Refresh, refresh},
		{"Channels", f.Channels, channels},
		{"Subscriptions", f.Subscriptions, subscriptions},
	} {
		if power.declared != power.implemented {
			agree = false
			t.Errorf("Features.%s is %t, but that the store implements it is %t",
				power.name, power.declared, power.implemented)
		}
	}
	return agree
}
