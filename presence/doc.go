// Package presence turns changes of a connection store into exact ONLINE and
// OFFLINE events.
//
//	store := new(memstore.Store)
//	watcher, err := presence.New(store, presence.ToNotify(client))
//	go watcher.Run(ctx, store) // on one machine
//
// On AWS a stream's adapter calls [Watcher.Observe] instead, a delay queue's
// consumer [Watcher.Check], and a schedule [Watcher.Reconcile]. On servers of
// your own with a table in DynamoDB, Run follows a connstore/dynamofeed, on one
// server at a time with connstore/lead.
//
// [Online] and [WhoIsOnline] answer from what the events have told: who is
// there, and when somebody was last seen.
//
// # Delivery
//
// The events of a user have the versions 1, 2, 3, … without a gap, alternate
// between ONLINE and OFFLINE, and have increasing times. Once the connections
// stop changing, the last event agrees with them. Changes may be observed
// twice, late, in any order, and by several watchers at once; a watcher may
// die between any two steps: no event is lost. An event can be published
// twice, always with the same id, status and time, and a late duplicate can
// follow a newer event: a consumer drops a version that is not above the last
// it saw. Every destination must have accepted an event before the user's next
// one is published.
//
// A user comes and goes faster than an evaluation now and then; what was never
// seen is not published.
//
// # What it relies on
//
// The store's reads are strongly consistent and its conditional writes atomic.
// Expiry tells nobody: a row that expires must be swept (see [sumu.Sweeper]),
// and the sweeping observed. Presence rows never expire. One region, the
// user's home, evaluates a user.
//
// # Cost
//
// An evaluation makes two reads and one write when nothing has changed, two
// reads and two writes when the user came or went. A grace period adds one
// such evaluation for each time that a user's last connection ends.
package presence
