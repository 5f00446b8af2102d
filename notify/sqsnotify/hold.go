package sqsnotify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

const (
	// Between two tries of a held batch, and before SQS shows again what
	// failed by a fault of ours beside messages that did not.
	holdPause    = time.Second
	maxHoldPause = 30 * time.Second
	faultBackoff = 30 * time.Second

	// A batch that fails so often in a row although Probe passes is to blame
	// itself: one bad record must not keep a poller for ever.
	blameTries = 5
	// Without Probe nobody knows who is to blame. Five receives last an hour.
	blindHold = 10 * time.Minute
	// SQS hides a message for 12 hours from its receipt.
	longestHold = 11 * time.Hour
)

// faults reports whether no message of a batch was handled, none because of
// itself. Once a batch is held, a message that is to wait is one that an
// earlier try has begun: its lease goes by. One that is to wait for longer than a
// batch pauses is not waited for: it may be one target's, whose node is gone, and
// would keep the poller from the messages of all others.
func faults(outcomes []sumu.Outcome, holding bool) bool {
	for i := range outcomes {
		o := &outcomes[i]
		if o.Err == nil || o.RetryAfter > maxHoldPause || !o.Fault && !(holding && o.RetryAfter > 0) {
			return false
		}
	}
	return true
}

// hold keeps a batch that failed by a fault of ours, and has it handled again
// and again until it passes: each receipt counts for the queue's redrive
// policy, and what is not received waits in the queue at no cost. It returns
// the outcomes of the last try.
func (p *poller) hold(batch []received, outcomes []sumu.Outcome) []sumu.Outcome {
	if p.handling.begin() {
		p.o.Logger.Warn("sqs: messages cannot be handled; they are held and tried again until they can", "error", outcomes[0].Err)
	}
	outcomes, passed := p.try(batch, outcomes)
	lasted, last := p.handling.end()
	switch {
	case !passed && p.receiving.Err() == nil:
		p.o.Logger.Warn("sqs: messages that were held come again later", "messages", len(batch), "after", lasted, "error", outcomes[0].Err)
	case passed && last:
		p.o.Logger.Warn("sqs: messages are handled again", "after", lasted)
	}
	return outcomes
}

// try has a held batch handled until it passes. It reports false when that is
// no longer to be waited for.
func (p *poller) try(batch []received, outcomes []sumu.Outcome) (last []sumu.Outcome, passed bool) {
	began := time.Now()
	for tries, blamed := 0, 0; ; tries++ {
		pause := outbox.Backoff(holdPause, maxHoldPause, tries)
		for i := range outcomes {
			pause = max(pause, outcomes[i].RetryAfter)
		}
		if time.Since(began)+pause > longestHold || !p.pause(pause) {
			return outcomes, false
		}
		if !p.probe() {
			blamed = 0
			continue
		}
		outcomes = p.call(batch)
		if !faults(outcomes, true) {
			return outcomes, true
		}
		blamed++
		if p.o.Probe != nil && blamed >= blameTries || p.o.Probe == nil && time.Since(began) >= blindHold {
			return outcomes, false
		}
	}
}

// probe reports whether a held batch is to be tried.
func (p *poller) probe() bool {
	if p.o.Probe == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(p.receiving, p.o.Timeout)
	defer cancel()
	err := func() (err error) {
		defer sumu.RecoverTo(&err)
		return p.o.Probe(ctx)
	}()
	if cause := (*sumu.PanicError)(nil); errors.As(err, &cause) { // It tells nothing.
		p.o.Logger.Error("sqs: probe", "error", err, "stack", string(cause.Stack))
		return true
	}
	if err != nil {
		p.o.Logger.Debug("sqs: probe", "error", err)
	}
	return err == nil
}

// outage counts the pollers that wait for the end of one, so that a log has one
// line when it begins and one when it ends.
type outage struct {
	mu      sync.Mutex
	waiting int
	since   time.Time
}

// begin reports whether the poller is the first.
func (o *outage) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting++
	if o.waiting == 1 {
		o.since = time.Now()
	}
	return o.waiting == 1
}

// end returns how long the outage has lasted, and whether the poller was the
// last that waited.
func (o *outage) end() (lasted time.Duration, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting--
	return time.Since(o.since).Round(time.Millisecond), o.waiting == 0
}
