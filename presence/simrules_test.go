package presence_test

import (
	"strings"

	"github.com/sumu-live/sumu"
)

// rule is what a test takes out of the algorithm, or of what it relies on; see
// where each is used. None of it is in the code under test.
type rule int

const (
	none rule = iota
	countBeforeRow
	staleCount
	firstRowOnly
	expiredCounted
	noTrace
	blindSave
	conflictAcked
	publishSkipped
	markFirst
	blindMark
	pendingIgnored
	failureAcked
	clockTime
	noSweeper
	renewalRevives
	presenceRowsExpire
	checkNotSent
	delayFailureIgnored
	staleChecksDropped
	checksRestart
	changesDoNotRestart
	absenceKept
	noReconciliation
	original // the whole algorithm is that of the original stack
)

var rules = []struct {
	broken rule
	name   string
}{
	{countBeforeRow, "the count is read before the row"},
	{staleCount, "the count is eventually consistent"},
	{firstRowOnly, "the count looks at one row, then at its expiry (Limit 1 with a filter)"},
	{expiredCounted, "expired rows count"},
	{noTrace, "an evaluation that changes nothing writes nothing"},
	{blindSave, "SavePresence ignores its condition"},
	{conflictAcked, "a conflict is acknowledged"},
	{publishSkipped, "an event is marked without being published"},
	{markFirst, "an event is marked before it is published"},
	{blindMark, "MarkAnnounced marks whatever version is there"},
	{pendingIgnored, "a pending announcement is not finished first"},
	{failureAcked, "a change is acknowledged before its event is accepted"},
	{clockTime, "an event's time is the clock's"},
	{noSweeper, "nobody sweeps"},
	{renewalRevives, "a renewal brings an expired row back"},
	{presenceRowsExpire, "presence rows expire"},
	{checkNotSent, "an absence is acknowledged without a delayed check"},
	{delayFailureIgnored, "a delayed check that was not accepted counts as sent"},
	{staleChecksDropped, "a delayed check is dropped when the row has changed since"},
	{checksRestart, "a delayed check restarts the grace"},
	{changesDoNotRestart, "a change does not restart the grace"},
	{absenceKept, "the absence is kept when the user is back"},
	{noReconciliation, "lost records are never reconciled"},
}

// judgedByTruth reports whether an event is also held against what was so while
// it was made. That is stricter than what consumers can notice, so the rules
// must be found out without it; but for two, whose damage ends with the sweep.
func (r rule) judgedByTruth() bool {
	return r == none || r == expiredCounted || r == firstRowOnly
}

// observeAsOriginal is the original's algorithm: a row written means ONLINE; a
// row removed means OFFLINE if an eventually consistent query finds no other.
// What fails is swallowed.
func (k *worker) observeAsOriginal(batch []record) []error {
	for _, r := range batch {
		e := sumu.PresenceEvent{UserID: r.user.id, Status: sumu.Online, At: k.w.now}
		if !r.insert {
			e.Status = sumu.Offline
			if live, err := k.seam.HasLive(bg, r.user.id); err != nil || live {
				continue
			}
		}
		_ = k.seam.PublishPresence(bg, e)
	}
	return make([]error, len(batch))
}

// kind is the word before the colon of a violation.
func kind(err error) string {
	name, _, _ := strings.Cut(err.Error(), ":")
	return name
}
