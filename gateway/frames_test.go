package gateway

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// Framing is on the path of every post: only the first of a payload costs
// anything.
func TestFramesAreShared(t *testing.T) {
	app, err := sumu.NewApp(sumu.AuthorizerFunc(nil), new(memstore.Store))
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(app)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sumu.NewPayload([]byte(strings.Repeat("x", sumu.MaxPayload)))
	if err != nil {
		t.Fatal(err)
	}
	first := g.frames.of(p)
	if n := testing.AllocsPerRun(100, func() {
		if again := g.frames.of(p); &again[0] != &first[0] {
			t.Fatal("framed again")
		}
	}); n != 0 {
		t.Errorf("%v allocations for a payload that is framed already", n)
	}
}
