// Package dynamofeed follows the stream of a connections table in DynamoDB on
// servers of your own, where no Lambda does: it is the [sumu.ChangeFeed] that
// presence's Watcher.Run asks for.
//
//	feed, err := dynamofeed.New(dynamodbstreams.NewFromConfig(cfg), dynamodb.NewFromConfig(cfg), func(o *dynamofeed.Options) {
//		o.Table, o.Positions = "my-connections", store // a *dynamostore.StateStore
//	})
//	// One process of all reads the stream, evaluates, sweeps and reconciles.
//	err = lead.Run(ctx, store, "presence", func(ctx context.Context) error {
//		return watcher.Run(ctx, feed)
//	})
//
// # Delivery
//
// At least once, and the changes of one connection in their order: a shard is
// read after its parent, whenever the stream splits or rolls over. What fails is
// tried again for as long as it takes. A feed of a table with a new stream goes
// on there, from its beginning.
//
// The changes that happen after [Feed.Changes] has returned are told; it returns
// once its place in every shard is known. Without Options.Positions the next
// process begins where the stream is by then: what happened in between is found
// by the reconciliation that every Run of a Watcher begins with. With Positions
// it goes on where the last one was a minute before it ended, so that
// reconciliations can be rarer; or, when that one had just begun on a table for
// the first time, at the beginning of the shards that were open then. The stream keeps records for 24 hours; what was
// lost with older ones is left to the reconciliation too.
//
// Rows that were changed, such as by a renewal, are left out (see
// [Options].Modified), and rows without a user_id. Every view type will do.
//
// # Cost and limits
//
// Run sweeps every 10 s by default, which scans the table: set SweepEvery to a
// minute or so, or to a negative value where a connstore/sweep does it.
//
// Each shard is asked every PollEvery, one stream read request unit at a time:
// at 500 ms some 5.2 million in a month, $0.54 after the 2.5 million that are
// free (us-east-1, 2026-11). A small table has one shard to four. DynamoDB
// allows two readers of a shard, Lambda among them: have one process of yours
// read it, with package lead. It needs the permissions dynamodb:DescribeTable on
// the table, and DescribeStream, GetShardIterator and GetRecords on its stream.
package dynamofeed
