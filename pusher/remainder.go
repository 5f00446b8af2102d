package pusher

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/sumu-live/sumu"
)

// A child names so many connections and users at most, of so many bytes, that
// it fits into one message of a queue.
const (
	childTargets = 500
	childBytes   = 100 << 10
	childLeast   = 4 << 10
	maxMessage   = 1<<20 - 16<<10 // of SQS, less what is around the lists
)

// maxPart is how long the part of a child may be before it is shortened.
const maxPart = 24

// finish makes the children of a plan: notifications that hold what is left of
// it. Retries count as an attempt. What was not reached does not, unless the
// push came nowhere: else a push that never gets anywhere would go on for ever.
func (pl *plan) finish(attempts int) {
	retry := children{plan: pl, letter: "r", attempt: pl.n.Attempt + 1, attempts: attempts}
	retry.addRefs(pl.again)
	retry.addFailed(pl.failedUnits)
	lost := children{plan: pl, letter: "l", attempt: attempts, attempts: attempts}
	lost.addFailed(pl.lostUnits)

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
	for len(refs) > 0 {
		n := c.fit(len(refs), func(i int) int { return len(refs[i].UserID) + len(refs[i].ConnectionID) })
		child := c.child()
		child.Connections = slices.Clone(refs[:n])
		c.add(child)
		refs = refs[n:]
	}
}

// fit returns how many of n targets go into one child.
func (c *children) fit(n int, size func(i int) int) int {
	room := maxMessage - len(c.plan.n.Data)
	for _, list := range [][]string{c.plan.n.ExcludeUsers, c.plan.n.ExcludeConnections} {
		for _, s := range list {
			room -= len(s) + len(`"",`)
		}
	}
	room = max(min(room, childBytes), childLeast)
	for i := range min(n, childTargets) {
		room -= size(i) + len(`{"user_id":"","connection_id":""},`)
		if room < 0 && i > 0 {
			return i
		}
	}
	return min(n, childTargets)
}

// addFailed adds units that could not be looked up: many in one child, but for
// those that go on behind a connection.
func (c *children) addFailed(units []failedUnit) {
	pl := c.plan
	for len(units) > 0 {
		if pl.n.Everyone || units[0].last != (sumu.ConnectionRef{}) {
			c.addUnits(units[0].index, units[0].index+1, units[0].last)
			units = units[1:]
			continue
		}
		whole := 1
		for whole < len(units) && units[whole].last == (sumu.ConnectionRef{}) {
			whole++
		}
		n := c.fit(whole, func(i int) int {
			if u := (unit{pl, units[i].index}); !u.isUser() {
				return len(u.ref().UserID) + len(u.ref().ConnectionID)
			} else {
				return len(u.user())
			}
		})
		child := c.child()
		for _, f := range units[:n] {
			if u := (unit{pl, f.index}); u.isUser() {
				child.Users = append(child.Users, u.user())
			} else {
				child.Connections = append(child.Connections, u.ref())
			}
		}
		c.resume(&child)
		c.add(child)
		units = units[n:]
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
		c.resume(&child)
	}
	if to > users {
		child.Connections = slices.Clone(pl.refs[max(from-users, 0) : to-users])
	}
	c.add(child)
}

// resume keeps the plan's own cursor when the child begins with the same user.
func (c *children) resume(child *sumu.Notification) {
	n := c.plan.n
	if child.After == "" && len(child.Users) > 0 && len(n.Users) > 0 && child.Users[0] == n.Users[0] {
		child.After = n.After
	}
}

// child is the notification without its targets.
func (c *children) child() sumu.Notification {
	child := withoutTargets(c.plan.n)
	child.Part = childPart(child.Part, c.letter, c.count)
	child.Attempt = c.attempt
	c.count++
	return child
}

// withoutTargets is what children have in common with their parent.
func withoutTargets(n *sumu.Notification) sumu.Notification {
	shell := *n
	shell.Users, shell.Connections, shell.Everyone = nil, nil, false
	shell.Segment, shell.After = sumu.Segment{}, ""
	return shell.Clone()
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
