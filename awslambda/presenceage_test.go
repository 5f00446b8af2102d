package awslambda_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/awslambda"
)

// A record is evaluated however old it is: what it says may still not be known.
func TestRecordsOfAnyAgeCount(t *testing.T) {
	store, pub, w := realWatcher(t)
	h := must(awslambda.NewPresence(w))
	row(t, store, "ann", "a1")
	old := string(streamEvent("ann/a1"))
	aged := strings.Replace(old, `"SequenceNumber"`, `"ApproximateCreationDateTime":1.0,"SequenceNumber"`, 1)
	if aged == old {
		t.Fatal("the event has no sequence number")
	}
	wantFailures(t, call[failures](t, h, []byte(aged)))
	if want := []string{"ann:1 ONLINE"}; !slices.Equal(pub.events, want) {
		t.Errorf("events are %q, want %q", pub.events, want)
	}
	// A check that has waited for days is an evaluation like any other.
	wantFailures(t, call[failures](t, h, sqsEvent(awslambda.CheckMessage("ann"))))
}
