package pusher_test

// rule is what a test takes out of the protocol, or of what it relies on; see
// where each is used. None of it is in the code under test.
type rule int

const (
	none rule = iota
	keyIsID
	keyHasAttempt
	noLease
	blindSettle
	settleConflictIgnored
	settleFailureIgnored
	countedAtPush
	doneForgotten
	settledPosted
	leaseIgnored
	leaseAcked
	leaseKept
	requeueFailureIgnored
	leaseTooShort
	recordsExpire
	attemptsUncapped
	deadLettersDropped
	deadLetterFailureIgnored
	unreachedDropped
	offsetCursor
	noDeadline
	dedupByID
	groupForgotten
	exclusionsForgotten
	deadlineForgotten
	emptyConnections
	noRecords
	batchLostTaken
	batchOneForAll
	batchRefusalFinal
	faultCounted
	faultForgotten
	notMoved
	movedRenamed
)

var rules = []struct {
	broken rule
	name   string
}{
	{keyIsID, "1: the key is the id alone"},
	{keyHasAttempt, "1: the key is id, attempt and segment"},
	{noLease, "2: nobody takes a lease"},
	{blindSettle, "2: settling is not conditional on the token"},
	{countedAtPush, "2: results are counted when posted, not when settled"},
	{doneForgotten, "3: a message that is done is posted again"},
	{settledPosted, "3: a message that is settled is posted again"},
	{leaseIgnored, "3: a live lease is taken over"},
	{leaseAcked, "3: a message that another worker has is acknowledged"},
	{leaseKept, "3: an expired lease is never taken over"},
	{settleConflictIgnored, "3: a worker that was taken over requeues and acknowledges"},
	{settleFailureIgnored, "3: a worker whose settle fails requeues and acknowledges"},
	{requeueFailureIgnored, "4: a requeue that fails is acknowledged"},
	{leaseTooShort, "5: the lease is shorter than a call"},
	{recordsExpire, "5: records expire before the dead-letter queue does"},
	{attemptsUncapped, "5: attempts are not capped"},
	{deadLettersDropped, "6: what was tried for the last time is dropped"},
	{deadLetterFailureIgnored, "6: a dead letter that is not accepted is acknowledged"},
	{unreachedDropped, "6: what was not reached is not in a child"},
	{offsetCursor, "7: the cursor is an offset"},
	{noDeadline, "7: the worker does not know its deadline"},
	{dedupByID, "8: the deduplication id is the id alone"},
	{groupForgotten, "8: later messages of a group do not wait"},
	{exclusionsForgotten, "9: children do not repeat the exclusions"},
	{deadlineForgotten, "9: children do not repeat the deadline"},
	{emptyConnections, "9: a child without connections is for everyone"},
	{noRecords, "10: there is no state table"},
	{batchLostTaken, "a batch without an answer is taken as delivered"},
	{batchOneForAll, "a batch has one outcome for all"},
	{batchRefusalFinal, "what a batch cannot post is not posted at all"},
	{faultCounted, "outage: a fault is an attempt"},
	{faultForgotten, "outage: nobody knows since when"},
	{notMoved, "outage: a message is left to the redrive policy"},
	{movedRenamed, "outage: what is moved has another name"},
}
