package gateway_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

func evicting(o *sumu.AppOptions) { o.MaxConnections, o.EvictOldest = 2, true }

// The oldest socket of a user makes room for a newer one, and is told so.
func TestEviction(t *testing.T) {
	e := start(t, config{app: []func(*sumu.AppOptions){evicting}})
	first, firstRow := e.dial("ann")
	bob, _ := e.dial("bob")
	e.clock.Advance(time.Second)
	second, _ := e.dial("ann")
	e.clock.Advance(time.Second)
	third, _ := e.dial("ann")
	first.ExpectText(`{"type":"closing","code":"replaced","message":"a newer connection took this one's place"}`)
	if reason := first.ExpectClose(4002); reason != "replaced by a newer connection" {
		t.Errorf("reason is %q", reason)
	}
	_ = first.Close()
	e.expectEnd(firstRow, 4002)
	alive(t, second)
	alive(t, third)
	alive(t, bob)
}

// A socket that is closed while it opens, when its row is written but nobody can
// find it yet, is closed as soon as it is open: it must not live on without a row.
func TestClosedWhileOpening(t *testing.T) {
	for name, tt := range map[string]struct {
		close func(e *env, row sumu.Connection) // in the middle
		code  int
		why   string
	}{
		"evicted": {func(e *env, _ sumu.Connection) {
			c := wstest.Dial(e.t, e.srv.URL+"/?user=ann")
			e.t.Cleanup(func() { alive(e.t, c) })
		}, 4002, "replaced"},
		"kicked": {func(e *env, row sumu.Connection) {
			if n, err := sumu.Kick(context.Background(), e.store, e.gw, "ann"); n != 1 || err != nil {
				e.t.Errorf("kicked %d (%v)", n, err)
			}
			if err := e.gw.Disconnect(context.Background(), row); !errors.Is(err, sumu.ErrGone) {
				e.t.Errorf("closed again: %v, want ErrGone", err)
			}
		}, 4001, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var e *env
			var first atomic.Bool
			first.Store(true)
			e = start(t, config{app: []func(*sumu.AppOptions){func(o *sumu.AppOptions) {
				o.MaxConnections, o.EvictOldest = 1, true
				o.Observer.Connected = func(_ context.Context, c sumu.Connection) {
					if first.Swap(false) {
						e.clock.Advance(time.Second)
						tt.close(e, c)
					}
				}
			}}})
			c := wstest.Dial(t, e.srv.URL+"/?user=ann")
			if tt.why != "" {
				if got := c.Expect(ws.Text); !strings.Contains(got, tt.why) {
					t.Errorf("the last frame is %s", got)
				}
			}
			c.ExpectClose(tt.code)
			_ = c.Close()
			if end := receive(t, e.ended); end.reason.Code != tt.code {
				t.Errorf("%+v ended", end)
			}
			if e.rows() != e.gw.Sockets() {
				t.Errorf("%d rows of %d sockets", e.rows(), e.gw.Sockets())
			}
		})
	}
}

// However many devices of a user connect at once, as many as may stay.
func TestEvictionOfMany(t *testing.T) {
	e := start(t, config{app: []func(*sumu.AppOptions){evicting}})
	var wg sync.WaitGroup
	const devices = 40
	for range devices {
		wg.Go(func() {
			nc, err := dialUpgraded(e.srv.Listener.Addr().String(), "/?user=ann")
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			_ = nc.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, _ = io.Copy(io.Discard, nc) // Until it is closed, or the test has seen enough.
		})
	}
	for range devices - 2 {
		if end := receive(t, e.ended); end.reason.Code != 4002 {
			t.Errorf("%+v ended", end)
		}
	}
	until(t, "two that stay", func() bool { return e.gw.Sockets() == 2 && e.rows() == 2 })
	if len(e.ended) > 0 {
		t.Errorf("%+v ended as well", <-e.ended)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = e.gw.Shutdown(ctx)
	wg.Wait()
}

func TestConnectionCap(t *testing.T) {
	e := start(t, config{app: []func(*sumu.AppOptions){func(o *sumu.AppOptions) { o.MaxConnections = 1 }}})
	c, _ := e.dial("ann")
	if got := e.status("ann"); got != 429 {
		t.Errorf("one more gets %d, want 429", got)
	}
	alive(t, c)
	e.dial("bob")
}

// otherNode is a [sumu.Sender] and [sumu.Disconnecter] that stands for the
// sockets of other gateways.
type otherNode struct {
	log  chan string
	fail error
}

func (n otherNode) Post(_ context.Context, c sumu.Connection, p *sumu.Payload) error {
	n.log <- "post " + c.Endpoint + " " + c.ID + " " + string(p.Bytes())
	return n.fail
}

func (n otherNode) Disconnect(_ context.Context, c sumu.Connection) error {
	n.log <- "disconnect " + c.Endpoint + " " + c.ID
	return n.fail
}

// quietNode is a node that can close a socket, and nothing else.
type quietNode struct{ node otherNode }

func (n quietNode) Disconnect(ctx context.Context, c sumu.Connection) error {
	return n.node.Disconnect(ctx, c)
}

// What is evicted from another node is closed there.
func TestEvictionElsewhere(t *testing.T) {
	for name, fail := range map[string]error{"closed": nil, "gone already": sumu.ErrGone, "not reached": sumu.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			node := otherNode{make(chan string, 10), fail}
			var log strings.Builder
			e := start(t, config{app: []func(*sumu.AppOptions){evicting}, gw: []func(*gateway.Options){
				logTo(&log), func(o *gateway.Options) { o.Endpoint, o.Nodes = "https://node-1/prod", node },
			}})
			e.putRow("ann", "elsewhere1", "https://node-2/prod")
			e.putRow("ann", "elsewhere2", "https://node-2/prod")
			c, row := e.dial("ann")
			if row.Endpoint != "https://node-1/prod" {
				t.Errorf("the row's endpoint is %q", row.Endpoint)
			}
			if got := receive(t, node.log); !strings.HasPrefix(got, `post https://node-2/prod elsewhere1 {"type":"closing","code":"replaced"`) {
				t.Errorf("the other node was asked for %s", got)
			}
			if got := receive(t, node.log); got != "disconnect https://node-2/prod elsewhere1" {
				t.Errorf("the other node was asked for %s", got)
			}
			alive(t, c)
			_ = c.Close()
			shutdown(t, e) // It waits for them.
			if told := strings.Contains(log.String(), "not closed"); told != (fail == sumu.ErrUnavailable) {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
}

// Without a sender there is no last frame; for a row of our own whose socket is
// gone, nobody is asked.
func TestEvictionWithoutSender(t *testing.T) {
	node := otherNode{log: make(chan string, 10)}
	e := start(t, config{app: []func(*sumu.AppOptions){evicting}, gw: []func(*gateway.Options){func(o *gateway.Options) {
		o.Endpoint, o.Nodes = "https://node-1", quietNode{node}
	}}})
	e.putRow("ann", "ours", "https://node-1")
	e.putRow("ann", "theirs", "https://node-2")
	for range 2 {
		c, _ := e.dial("ann")
		defer c.Close()
	}
	if got := receive(t, node.log); got != "disconnect https://node-2 theirs" {
		t.Errorf("the other node was asked for %s", got)
	}
	if len(node.log) > 0 {
		t.Errorf("the other node was asked for %s as well", <-node.log)
	}
}

func TestEvictionWithoutNodes(t *testing.T) {
	alone := start(t, config{app: []func(*sumu.AppOptions){evicting}})
	alone.putRow("ann", "theirs1", "https://node-2")
	alone.putRow("ann", "theirs2", "https://node-2")
	c, _ := alone.dial("ann")
	alive(t, c)
}

// putRow writes the row of a connection elsewhere, older than all that follow.
func (e *env) putRow(user, id, endpoint string) {
	e.t.Helper()
	c := sumu.Connection{UserID: user, ID: id, Endpoint: endpoint, ConnectedAt: e.clock.Now(), DeleteAt: e.clock.Now().Add(time.Hour)}
	if err := e.store.Put(context.Background(), c); err != nil {
		e.t.Fatal(err)
	}
	e.clock.Advance(time.Second)
}
