package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// scale says which end of a unit is the better one, and in what words.
type scale struct {
	unit          string
	more          bool // the larger figure is the better one
	better, worse string
}

// in returns a scale on which less is better.
func in(unit, better, worse string) scale { return scale{unit, false, better, worse} }

var (
	perSecond   = scale{"deliveries/s", true, "faster", "slower"}
	perDelivery = in("µs CPU/delivery", "cheaper", "dearer")
	perSocket   = in("KB/socket", "smaller", "larger")
	perConnect  = in("µs CPU/connect", "cheaper", "dearer")
	perToken    = in("ns CPU/token", "cheaper", "dearer")
	tokenAllocs = in("allocs/token", "fewer", "more")
	perTarget   = in("ns CPU/target", "cheaper", "dearer")
	pushAllocs  = in("allocs/push", "fewer", "more")
)

// row compares ours with a peer.
type row struct {
	name, peer string // peer is what ours is measured against
	scale      scale
	ours       series
	theirs     series
}

// verdict is the ratio of the medians, in words.
func (r *row) verdict() string {
	ours, theirs := r.ours.median(), r.theirs.median()
	if ours <= 0 || theirs <= 0 { // Memory may shrink in a run of few sockets.
		return "no ratio"
	}
	ratio := theirs / ours
	if r.scale.more {
		ratio = 1 / ratio
	}
	switch {
	case max(ratio, 1/ratio) < 1.05:
		return "about the same"
	case ratio > 1:
		return fmt.Sprintf("%.1fx %s", ratio, r.scale.better)
	}
	return fmt.Sprintf("%.1fx %s", 1/ratio, r.scale.worse)
}

// table is what a run prints.
type table struct {
	rows  []row
	notes []string // what the table does not show
	goals []string // which are met, and which are not
	costs []actionCost
}

func (t *table) add(r row) { t.rows = append(t.rows, r) }

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// goal tells whether a figure of ours reaches what was set for it.
func (t *table) goal(what string, s series, want float64, sc scale) {
	got, limit := s.median(), "at most"
	met := got <= want
	if sc.more {
		limit, met = "at least", got >= want
	}
	word := "met"
	if !met {
		word = "MISSED"
	}
	t.goals = append(t.goals, fmt.Sprintf("goal %s: %s: %s %s %s, measured %s",
		word, what, limit, number(want), sc.unit, number(got)))
}

// print writes Markdown that reads well in a terminal too.
func (t *table) print(out io.Writer) {
	lines := [][]string{{"case", "unit", "ours", "peer", "the peer", "ours is"}}
	for i := range t.rows {
		r := &t.rows[i]
		lines = append(lines, []string{r.name, r.scale.unit, r.ours.String(), r.theirs.String(), r.peer, r.verdict()})
	}
	printCells(out, lines)
	if len(t.costs) > 0 {
		printCells(out, costLines(t.costs))
	}
	for _, n := range slices.Concat(t.notes, t.goals) {
		fmt.Fprintln(out, "- "+n)
	}
	if len(t.notes)+len(t.goals) > 0 {
		fmt.Fprintln(out)
	}
}

// printCells writes a table whose first line is its head, and an empty line.
func printCells(out io.Writer, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, cell := range l {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(width))
	for i, w := range width {
		rule[i] = strings.Repeat("-", w)
	}
	lines = append([][]string{lines[0], rule}, lines[1:]...)
	for _, l := range lines {
		for i, cell := range l {
			fmt.Fprintf(out, "| %s%s ", cell, strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(out, "|")
	}
	fmt.Fprintln(out)
}
