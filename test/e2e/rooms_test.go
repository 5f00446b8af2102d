package e2e

import (
	"os"
	"testing"
)

// TestRooms is rooms and events of the page, and the snippets of clients that
// were written for other servers.
func TestRooms(t *testing.T) {
	enabled(t)
	t.Parallel()
	shots := os.Getenv("SUMU_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	} else if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, anyPort)
	addr := p.Addr
	node(t, func(question string) string {
		switch question {
		case "stop":
			p.stop(t)
		case "start":
			p = start(t, addr)
		default:
			t.Errorf("the script asks %q", question)
		}
		return "done"
	}, "rooms.mjs", p.URL, shots)
}
