package channels

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/internal/leak"
)

// TestSnippets runs what clients do that were written for other servers, with
// the libraries that they use. The options are what those servers did.
func TestSnippets(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs Node and test/tooling; run it with: make test")
	}
	leak.Check(t)
	w := newWorld(t, new(memstore.Store), "gateway", bare,
		func(o *channels.Options) { o.Open, o.Default = true, channels.DefaultChannel },
		func(o *events.Options) { o.Open = true })
	url := "ws" + strings.TrimPrefix(w.via.(*ownGateway).web.URL, "http")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "snippets.mjs", url).CombinedOutput()
	if err != nil || strings.Count(string(out), "ok ") != 2 {
		t.Errorf("snippets.mjs: %v\n%s", err, out)
	}
}
