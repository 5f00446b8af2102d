// Package dynamostore keeps connections, channels, subscriptions, presence and
// records in DynamoDB: for AWS Lambda, and for servers of more than one node.
//
//	client := dynamodb.NewFromConfig(cfg)
//	store, err := dynamostore.New(client, func(o *dynamostore.Options) {
//		o.Connections = "my-connections"
//	})
//	app, err := sumu.NewApp(auth, store)
//
// [New] keeps connections in one table. [NewWithState] has a second one for
// everything else: channels, subscriptions to events, presence, records such as
// tickets and revocations, and caps on the connections of a user. Each
// implements what its tables allow and nothing more, so that a type assertion
// tells the truth. Nothing runs in the background, and a store is made without a
// call.
//
// # The connections table
//
// It has the partition key user_id (S) and the sort key connection_id (S).
//
//	user_id        S  1 to 2,048 bytes
//	connection_id  S  1 to 1,024 bytes
//	delete_at      N  when the row expires, epoch seconds: the table's TTL attribute
//	connected_at   N  when the socket was accepted, epoch milliseconds
//	expires_at     N  when the token expires, epoch seconds
//	endpoint       S  base URL of the management API that holds the socket
//
// All but the keys may be missing: without delete_at a row does not expire,
// and without connected_at it counts as old. The table of an existing sumu
// deployment works unchanged: its delete_at, a String, is read too.
//
// Presence is driven by the table's stream (keys suffice). Expiry in DynamoDB
// comes up to days late; expired rows are left out of every read meanwhile, and
// [Store.SweepExpired] removes them in time.
//
// # The state table
//
// It has the partition key pk (S) and the sort key sk (S). Its TTL attribute is
// delete_at (N), which presence rows and shards do not have.
//
//	pk            sk             other attributes
//	user id       presence       status, version, at (ms), announced, seq, absent_since (ms), write
//	user id       cap            write, delete_at
//	record's key  record/{kind}  rev, value (B), delete_at, write
//
//	channel/{shard}/{channel}  member/{h}             user_id, connection_id, endpoint, connected_at, delete_at, write, first
//	channel/0/{channel}        shards                 count
//	event/{hash}               sub/{h}/{hash}         the same as of a member, and sub (JSON)
//	attached/{h}               channel/{channel}      user_id, connection_id, shard, delete_at, write, first
//	attached/{h}               event/{hash}           the same, and sub (JSON), partition
//	events/{hash of a type}    {kind}/{bytes}/{field} delete_at
//
// A connection is named by {h}, a hash. What it has joined and subscribed to is
// in the rows under attached/{h}, so that nothing is ever looked for: whoever
// removes the row of a connection reads those of that connection. A member of a
// channel is in the shard that its row under attached/{h} tells, so that shards
// can be added while members are there: see [StateStore.RaiseShards]. An event
// reads which filters there are of its type, under events/, and then the
// partitions in which subscriptions may match it.
//
// In write is a random name for the write that left the row so. It tells an
// answer that was lost from a writer who lost.
//
// # Consistency
//
// Every read on which a promise rests is strongly consistent:
//
//	read                            what rests on it
//	Get                             Join and Subscribe end with it, and undo themselves where the row has gone;
//	                                Forget of a connection that is gone begins with it
//	HasLive                         no false OFFLINE, nor ONLINE
//	Presence                        who asks is told of the last change; evaluations do not begin anew for nothing
//	PresenceRows                    a reconciliation finds every row that is wrong
//	LoadRecord                      a lease has one holder, a ticket is used once, a revocation holds at once
//	the cap row, PutCapped's count  never more connections than the cap
//	ByUser                          a notification, or a Kick, meets every connection accepted before it
//	Members, CountMembers           a join that was answered gets every message accepted later
//	IsMember                        an exclusion holds for whoever has joined before
//	Subscribers                     a subscription that was answered gets every event accepted later
//	Channels, Subscriptions,        of calls at the same time either both rows of an attachment are left or
//	the rows under attached/        neither, and Forget leaves none; no connection gets over its limit
//	the shards of a channel         Join writes where Members looks, Leave finds what was left
//
// [Options].EventualRecipients gives up those of ByUser, Members, CountMembers,
// IsMember and Subscribers, for half of their price. Three reads are eventually
// consistent, because nothing rests on them: All, unless ConsistentAll is set (a
// broadcast may miss who was accepted a moment before), the scan of SweepExpired
// (the next one finds what it missed), and that of the registry of uses by
// Subscribe. No secondary index is read: they cannot be read consistently.
//
// Whatever is conditional is one conditional write, or one transaction. Global
// tables do not keep these promises across Regions: let one Region write.
//
// A membership or a subscription is two rows, written without a transaction. The
// order of the steps is such that calls at the same time leave either both or
// neither, and that a call which breaks off leaves at most a row that
// [StateStore.Forget] finds; or, when another call ended the same at that very
// moment, one that nobody finds and that expires with the connection.
//
// # Cost
//
// In DynamoDB's units, for rows of up to 1 KB: connect 1 WCU, disconnect 1 WCU,
// all connections of a user 1 RCU for each 4 KB (some 25 rows), a broadcast or a
// sweep 0.5 RCU for each 4 KB of the table (100,000 rows: about 1,900 RCU,
// $0.00024 on demand in us-east-1, 2026-11), an evaluation of presence 2 RCU and
// 1 WCU, or 2 WCU where somebody came or went; to join, leave, subscribe or
// unsubscribe 2 WCU and 2 to 4 RCU, the members of a channel 1 RCU for each 4 KB
// (some 15), an event 1 RCU and as much for each 4 KB of the subscriptions that
// may match, at least 1 RCU for each kind of filter, however many others there
// are.
//
// # Errors
//
// They are *[sumu.Error] with DynamoDB's own error as the cause. ErrThrottled
// and ErrUnavailable may succeed later, beyond what the client has tried again
// itself. A table that does not exist is ErrUnavailable, so that no queue drops
// what it holds while the table is missing; a refused request (IAM, credentials)
// is ErrForbidden; ErrConflict says that another writer was first, or that one
// would not let go of a row.
package dynamostore
