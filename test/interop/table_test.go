package interop

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
)

// Which gateway a case runs against.
const (
	likeAPIGateway = iota
	longFrames     // MaxFrame and FrameSize are off, as by default
	overTLS
	compressing // Compress is 1; behind a relay
	pinging     // every second, with a second for the answer
)

// attempt is one case with one client.
type attempt struct {
	*testing.T
	s      *server
	client client
	user   string
	cell   string // of the table; "": ok
}

// testCase is a row of the table.
type testCase struct {
	name string
	on   int
	run  func(a *attempt)
}

// TestInterop runs every case with every client, prints a table of them, and
// fails when one fails.
func TestInterop(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs clients in Python; run it with: make test")
	}
	leak.Check(t)
	servers := []*server{
		likeAPIGateway: start(t, config{gw: []func(*gateway.Options){gateway.LikeAPIGateway}}),
		longFrames:     start(t, config{}),
		overTLS:        start(t, config{tls: true}),
		compressing:    start(t, config{gw: []func(*gateway.Options){gateway.LikeAPIGateway, func(o *gateway.Options) { o.Compress = 1 }}}),
		pinging: start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) {
			o.PingInterval, o.PongTimeout = time.Second, time.Second
		}}}),
	}
	servers[compressing].relay = startRelay(t, servers[compressing])
	clients := []client{coder, gorilla, gobwas, gwsClient}
	for _, c := range python {
		c.dial = startPython(t, c.name).dial
		clients = append(clients, c)
	}
	cells := make(map[string]map[string]string, len(cases)) // by case, by client
	for _, c := range cases {
		cells[c.name] = make(map[string]string)
	}
	for _, cl := range clients {
		for name := range cl.cannot {
			if cells[name] == nil {
				t.Errorf("%s cannot do %q, which is no case", cl.name, name)
			}
		}
		for _, c := range cases {
			if _, ok := cl.cannot[c.name]; ok {
				cells[c.name][cl.name] = "n/a"
				continue
			}
			t.Run(cl.name+"/"+c.name, func(t *testing.T) {
				cells[c.name][cl.name] = "FAIL" // Fatal ends the run.
				a := &attempt{T: t, s: servers[c.on], client: cl, user: cl.name + ": " + c.name}
				c.run(a)
				if !t.Failed() {
					cells[c.name][cl.name] = "ok"
					if a.cell != "" {
						cells[c.name][cl.name] = a.cell
					}
				}
			})
		}
	}
	t.Log("\n" + table(clients, cells))
}

func table(clients []client, cells map[string]map[string]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, cl := range clients {
		fmt.Fprintf(w, "\t%s", cl.name)
	}
	fmt.Fprintln(w)
	for _, c := range cases {
		fmt.Fprint(w, c.name)
		for _, cl := range clients {
			fmt.Fprintf(w, "\t%s", cells[c.name][cl.name])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	b.WriteString("1009: closed so, as its frames are longer than API Gateway takes\n" +
		"one way: the gateway notes the code; the client does not wait for the answer\n")
	for _, cl := range clients {
		for _, c := range cases {
			if why, ok := cl.cannot[c.name]; ok {
				fmt.Fprintf(&b, "%s, %s: %s\n", cl.name, c.name, why)
			}
		}
	}
	return b.String()
}
