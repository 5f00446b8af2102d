package pusher

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/sumu-live/sumu"
)

// childRefs is how many connections a child names at most, so that it fits
// into one message of a queue.
const childRefs = 500

// maxPart is how long the part of a child may be before it is shortened.
const maxPart = 24

// finish makes the children of a plan: notifications that hold what is left of
// it. Retries count as an attempt. What was not reached does not, unless the
// push came nowhere: else a push that never gets anywhere would go on for ever.
func (pl *plan) finish(attempts int) {
	retry := children{plan: pl, letter: "r", attempt: pl.n.Attempt + 1, attempts: attempts}
	retry.addRefs(pl.again)
	for _, f := range pl.failedUnits {
		retry.addUnits(f.index, f.index+1, f.last)
	}

	rest := children{plan: pl, letter: "c", attempt: pl.n.Attempt, attempts: attempts}
	if pl.result.Targets == len(pl.left) {
		rest.attempt++
	}
	if rest.lost() {
		pl.result.Failed += len(pl.left)
	} else {
		pl.result.Requeued += len(pl.left)
	}
	rest.addRefs(pl.left)
	if !pl.found {
		rest.addUnits(pl.reached.index, pl.size(), pl.last)
	}
}

// children are those of one kind.
type children struct {
	plan     *plan
	letter   string
	attempt  int
	attempts int
	count    int
}

// lost reports whether the targets have been tried for the last time.
func (c *children) lost() bool { return c.attempt >= c.attempts }

func (c *children) addRefs(refs []sumu.ConnectionRef) {
	for chunk := range slices.Chunk(refs, childRefs) {
		child := c.child()
		child.Connections = slices.Clone(chunk)
		c.add(child)
	}
}

// addUnits adds what is left of the units from one to another; last is the
// last connection found in the first of them.
func (c *children) addUnits(from, to int, last sumu.ConnectionRef) {
	pl := c.plan
	child := c.child()
	if pl.n.Everyone {
		child.Everyone = true
		child.Segment = pl.n.Segment
		if last != (sumu.ConnectionRef{}) {
			child.Segment.After = last
		}
		c.add(child)
		return
	}
	users := len(pl.users)
	if from < users {
		child.Users = slices.Clone(pl.users[from:min(to, users)])
		child.After = last.ConnectionID
		if from == 0 && child.After == "" && child.Users[0] == pl.n.Users[0] {
			child.After = pl.n.After
		}
	}
	if to > users {
		child.Connections = slices.Clone(pl.refs[max(from-users, 0) : to-users])
	}
	c.add(child)
}

// child is the notification without its targets.
func (c *children) child() sumu.Notification {
	child := c.plan.n.Clone()
	child.Users, child.Connections, child.Everyone = nil, nil, false
	child.Segment, child.After = sumu.Segment{}, ""
	child.Part = childPart(child.Part, c.letter, c.count)
	child.Attempt = c.attempt
	c.count++
	return child
}

func (c *children) add(child sumu.Notification) {
	if c.lost() {
		c.plan.result.GivenUp = append(c.plan.result.GivenUp, child)
	} else {
		c.plan.result.Remainder = append(c.plan.result.Remainder, child)
	}
}

// childPart appends the letter, and a number from the second child of a kind
// on. Nothing else makes the same part, so that each message has a key of its
// own. A part that has grown long becomes its hash.
func childPart(part, letter string, i int) string {
	if len(part) > maxPart-len("r999") {
		sum := sha256.Sum256([]byte(part))
		part = "h" + hex.EncodeToString(sum[:8])
	}
	part += letter
	if i > 0 {
		part += strconv.Itoa(i)
	}
	return part
}
