package pusher

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

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
// it. Retries count as an attempt. What was kept by a fault does not, but has
// its time; and what was not reached has neither, unless the push came nowhere:
// else a push that never gets anywhere would go on for ever.
func (pl *plan) finish(attempts int, now func() time.Time) {
	if pl.complete() {
		return
	}
	tried := budget{attempt: pl.n.Attempt + 1, lost: pl.n.Attempt+1 >= attempts}
	waits := budget{attempt: pl.n.Attempt, since: pl.since(now()), lost: pl.outlasted}
	never := budget{attempt: attempts, lost: true}

	retry := children{plan: pl, letter: "r", budget: tried}
	retry.addTargets(pl.again)
	retry.addFailed(pl.failedUnits)
	retry.budget = waits
	retry.addTargets(pl.down)
	retry.addFailed(pl.downUnits)
	lost := children{plan: pl, letter: "l", budget: never}
	lost.addFailed(pl.lostUnits)

	rest := children{plan: pl, letter: "c", budget: budget{attempt: pl.n.Attempt}}
	if pl.faulted() {
		rest.budget = waits
	}
	if rest.lost {
		pl.result.Failed += len(pl.left)
	} else {
		pl.result.Requeued += len(pl.left)
	}
	rest.addTargets(pl.left)
	switch {
	case pl.found:
	case pl.cut == nil:
		rest.addUnits(pl.reached.index, pl.size(), pl.last)
	case isFault(pl.cut):
		retry.addUnits(pl.reached.index, pl.size(), pl.last)
	case sumu.Retryable(pl.cut):
		retry.budget = tried
		retry.addUnits(pl.reached.index, pl.size(), pl.last)
	default:
		lost.addUnits(pl.reached.index, pl.size(), pl.last)
	}
}

// complete reports whether nothing is left for children.
func (pl *plan) complete() bool {
	return pl.found && len(pl.again)+len(pl.down)+len(pl.left) == 0 &&
		len(pl.failedUnits)+len(pl.downUnits)+len(pl.lostUnits) == 0
}

// budget is what children may still spend: attempts, or time since faults began.
type budget struct {
	attempt int
	since   time.Time
	lost    bool // nothing: they have been tried for the last time
}

// children are those of one kind.
type children struct {
	plan   *plan
	letter string
	budget
	count int
}

// addTargets adds connections by name. What was made for members of a channel
// or subscribers of an event goes with them as it is.
func (c *children) addTargets(targets []target) {
	var order []*source
	refs := make(map[*source][]sumu.ConnectionRef)
	for _, t := range targets {
		if refs[t.src] == nil {
			order = append(order, t.src)
		}
		refs[t.src] = append(refs[t.src], t.ref)
	}
	for _, src := range order {
		c.addRefs(refs[src], src)
	}
}

func (c *children) addRefs(refs []sumu.ConnectionRef, src *source) {
	for len(refs) > 0 {
		n := c.fit(len(refs), func(i int) int { return len(refs[i].UserID) + len(refs[i].ConnectionID) })
		child := c.child()
		child.ExcludeChannels = nil // They were found not to be in them.
		if src.attached {
			child.Data, child.Framed, child.From = src.payload.Bytes(), true, ""
		}
		if src.topic {
			child.Channels = []string{src.channel}
		} else {
			child.Connections = slices.Clone(refs[:n])
		}
		c.add(child)
		refs = refs[n:]
	}
}

// fit returns how many of n targets go into one child.
func (c *children) fit(n int, size func(i int) int) int {
	room := maxMessage - max(len(c.plan.n.Data), sumu.MaxPayload)
	for _, list := range [][]string{c.plan.n.ExcludeUsers, c.plan.n.ExcludeConnections, c.plan.n.ExcludeChannels, c.plan.channels} {
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
			c.addUnits(units[0].index, units[0].index+1, place{ref: units[0].last})
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
		c.exclude(&child, pl.channels)
		c.resume(&child)
		c.add(child)
		units = units[n:]
	}
}

// addUnits adds what is left of the units from one to another; last is the
// last connection found in the first of them.
func (c *children) addUnits(from, to int, last place) {
	pl := c.plan
	child := c.child()
	if pl.n.Everyone {
		child.Everyone = true
		child.Segment = pl.n.Segment
		if last != (place{}) {
			child.Segment.After = last.ref
		}
		c.add(child)
		return
	}
	if pl.n.Event != nil {
		child.Event = &sumu.Event{Type: pl.n.Event.Type, Payload: pl.n.Event.Payload}
		child.After = cmp.Or(last.cursor, pl.n.After)
		c.add(child)
		return
	}
	child.Channels, from, to = cutOff(pl.channels, from, to)
	c.exclude(&child, pl.channels[:len(pl.channels)-len(child.Channels)])
	child.After = last.cursor
	if len(child.Channels) == 0 {
		child.After = last.ref.ConnectionID
	}
	child.Users, from, to = cutOff(pl.users, from, to)
	child.Connections, _, _ = cutOff(pl.refs, from, to)
	c.resume(&child)
	c.add(child)
}

// exclude leaves out the members of channels that were reached, where it is known
// who they are.
func (c *children) exclude(child *sumu.Notification, reached []string) {
	if !c.plan.topics {
		child.ExcludeChannels = append(child.ExcludeChannels, reached...)
	}
}

// cutOff returns items[from:to] as far as there are any, and what is left of
// the range for the list behind it.
func cutOff[T any](items []T, from, to int) (part []T, restFrom, restTo int) {
	n := len(items)
	if from < n {
		part = slices.Clone(items[from:min(to, n)])
	}
	return part, max(from-n, 0), max(to-n, 0)
}

// resume keeps the plan's own cursor when the child begins with the same
// channel or user.
func (c *children) resume(child *sumu.Notification) {
	n := c.plan.n
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	switch {
	case child.After != "":
	case len(n.Channels) > 0:
		if first(child.Channels) == n.Channels[0] {
			child.After = n.After
		}
	case first(child.Users) != "" && first(child.Users) == first(n.Users):
		child.After = n.After
	}
}

// child is the notification without its targets.
func (c *children) child() sumu.Notification {
	child := withoutTargets(c.plan.n)
	child.Part = childPart(child.Part, c.letter, c.count)
	child.Attempt, child.Since = c.attempt, c.since
	c.count++
	return child
}

// withoutTargets is what children have in common with their parent.
func withoutTargets(n *sumu.Notification) sumu.Notification {
	shell := *n
	shell.Users, shell.Channels, shell.Connections, shell.Everyone, shell.Event = nil, nil, nil, false, nil
	shell.Segment, shell.After, shell.Since = sumu.Segment{}, "", time.Time{}
	return shell.Clone()
}

func (c *children) add(child sumu.Notification) {
	if c.lost {
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
