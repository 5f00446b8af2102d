package main

import (
	"fmt"
	"strconv"
)

// actionCost is what one action consumes of DynamoDB, beside its goal.
type actionCost struct {
	what string
	bill
	goalReads, goalWrites float64 // units; negative: none is set
}

// costLines are the lines of a table.
func costLines(costs []actionCost) [][]string {
	lines := [][]string{{"DynamoDB, an action", "requests", "read units", "write units", "goal, at most"}}
	for i := range costs {
		c := &costs[i]
		lines = append(lines, []string{c.what, strconv.Itoa(c.requests), plainUnits(c.reads), plainUnits(c.writes), c.goal()})
	}
	return lines
}

func (c *actionCost) goal() string {
	const slack = 1e-9 // Halves of units add up exactly, but for the emulator's own arithmetic.
	word := "met"
	if c.goalReads >= 0 && c.reads > c.goalReads+slack || c.goalWrites >= 0 && c.writes > c.goalWrites+slack {
		word = "MISSED"
	}
	switch {
	case c.goalReads < 0 && c.goalWrites < 0:
		return "none is set"
	case c.goalReads < 0:
		return fmt.Sprintf("%s written: %s", plainUnits(c.goalWrites), word)
	case c.goalWrites < 0:
		return fmt.Sprintf("%s read: %s", plainUnits(c.goalReads), word)
	}
	return fmt.Sprintf("%s read, %s written: %s", plainUnits(c.goalReads), plainUnits(c.goalWrites), word)
}

func plainUnits(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
