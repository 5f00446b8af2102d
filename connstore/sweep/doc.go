// Package sweep removes the rows of connections that died silently: no
// $disconnect came, or the process that held the socket is no more. Until its
// row is removed a user seems to be online; the removal is a change like any
// other, and drives presence.
//
//	sweeper, err := sweep.New(store, func(o *sweep.Options) {
//		o.Check = sweep.CheckerFunc(func(ctx context.Context, c sumu.Connection) error {
//			_, err := sender.Get(ctx, c) // an *apigw.Sender
//			return err
//		})
//		o.Positions = store // goes on where the last run has stopped
//	})
//	schedule, err := awslambda.NewSchedule(sweeper.Sweep) // every few minutes
//
// # Rules
//
// A row is removed for one of three reasons, and for no other:
//
//   - It has expired, and the store is a [sumu.Sweeper]: removed on the condition
//     that its DeleteAt is unchanged and past.
//   - The platform says that its connection is gone: the row is older than
//     [Options.OlderThan], and [Options.Check] returned ErrGone (a 410). A refused
//     connection, a timeout, a 403 or a 429 proves nothing. Removed on the
//     condition that the row has not been replaced by a younger one.
//   - The lease of its node has expired: [Options.Leased] says that the row's
//     Endpoint is of a node that holds leases, there is no record of kind "lease"
//     with that key, also after [Options.Takeover], and the sweep could take the
//     lease in its place. See gateway's "Node leases".
//
// An absent lease record alone does not tell a dead node from an endpoint that
// never had a lease, such as API Gateway's: records vanish when they expire. So
// it is Leased that must tell, by the endpoint's form; [NodesBelow] knows that of
// package gateway, which takes its lease before it writes its first row.
//
// The lease is taken with Rev 1, the revision that no node holds, is never
// renewed, and is given back at the end of the run. It lasts a minute, and rows
// are removed in its first 20 seconds only, so that clocks may differ by 40 s;
// a run that goes on longer gives it back and takes it anew. A node that comes
// back meanwhile is refused for that time, and then renews its rows.
//
// # Budgets
//
// A run ends when the table or a budget does, or [Options.Reserve] before the
// deadline of its context. It returns where it stopped, and the next one goes on
// there; a row that could not be dealt with is passed over, counted as
// failed, and met again in the next round. Nothing else is remembered: a run
// that is repeated or lost, or two at a time, do no harm.
//
// # Cost
//
// A run reads up to MaxRows rows, by [sumu.Store].All; with DynamoDB 0.5 RCU for
// each 4 KB. Expired rows are found by a scan of their own ([Options.KeepExpired]
// spares it where another sweeps). Each old row costs a call of Check, each
// removal one conditional write, each node with a lease one read per run, and
// each dead node another one and two writes. Rows are dealt with one at a time: a segment makes
// about as many checks per second as fit after one another, and Segments run
// in parallel. Memory does not grow with the table.
package sweep
