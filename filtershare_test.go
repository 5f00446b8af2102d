package sumu_test

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

// An event is compared with the filter of each subscriber, and whoever made
// either must not make that slow: a value is read once, whatever its length.
func TestFiltersShareTheValue(t *testing.T) {
	for _, payload := range []string{
		`{"f":"` + strings.Repeat("a", 100_000) + `"}`,
		`{"f":{"g":"` + strings.Repeat("a", 100_000) + `"}}`,
	} {
		r := reader(payload)
		for _, field := range []string{"f", "f.g"} {
			for _, filter := range []string{strings.Repeat("a", sumu.MaxFilter-1) + "*", strings.Repeat("a", sumu.MaxFilter), "b"} {
				s := sumu.Subscription{EventType: "t", Field: field, Filter: filter}
				r.Matches(&s)
				// Not the time: that is not the same from one run to the next.
				if n := testing.AllocsPerRun(100, func() { r.Matches(&s) }); n > 0 {
					t.Errorf("%.20s, %s %.5s: %v allocations per evaluation; the value is read again", payload, field, filter, n)
				}
			}
		}
	}
}
