package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// TestNodes: a user of either node is notified through the other one.
func TestNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.start("a"), f.start("b")
	ann, bob := f.join(a, "ann"), f.join(b, "bob")
	for user, p := range map[string]*process{"ann": a, "bob": b} {
		rows := f.rows(user)
		if len(rows) != 1 || !strings.HasPrefix(rows[0].Endpoint, p.endpoint+"/"+p.name+"-") {
			t.Fatalf("rows of %s: %+v; want one with an endpoint below %s", user, rows, p.endpoint)
		}
	}
	if status := b.notify("not the secret!!", `{"users":["ann"],"data":"no"}`); status != 401 {
		t.Errorf("without the secret: %d", status)
	}
	for _, c := range []struct {
		user    string
		conn    *wstest.Conn
		at, via *process
	}{{"ann", ann, a, b}, {"bob", bob, b, a}} {
		// Whichever node receives a message delivers it: more are sent until the
		// other one had one, which reaches the socket through its endpoint.
		const most = 200
		sent := 0
		remote := func() int64 { return c.at.posted.Load() + c.at.batches.Load() }
		for ; sent < most && (sent == 0 || remote() == 0); sent++ {
			text := fmt.Sprintf(`"%s %d"`, c.user, sent)
			if status := c.via.notify(notifySecret, `{"users":["`+c.user+`"],"data":`+text+`}`); status != 202 {
				t.Fatalf("POST /notify: %d", status)
			}
			c.conn.ExpectText(text) // This one, and so none twice.
		}
		if remote() == 0 {
			t.Errorf("none of %d notifications came to %s through its endpoint", sent, c.user)
		}
		t.Logf("%s got %d, %d of them from the other node", c.user, sent, remote())
	}
	if a.posted.Load()+b.posted.Load() > 0 {
		t.Errorf("%d posts to a and %d to b were not in a batch", a.posted.Load(), b.posted.Load())
	}
}

// TestBatch: one for everyone costs one request per node that it is not on,
// whatever the number of sockets there.
func TestBatch(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	nodes := []*process{f.start("a"), f.start("b"), f.start("c")}
	var conns []*wstest.Conn
	for i := range 18 {
		conns = append(conns, f.join(nodes[i%3], fmt.Sprint("u", i)))
	}
	const n = 4
	for i := range n {
		if status := nodes[0].notify(notifySecret, fmt.Sprintf(`{"everyone":true,"data":%d}`, i)); status != 202 {
			t.Fatalf("POST /notify: %d", status)
		}
		for _, c := range conns {
			c.ExpectText(fmt.Sprint(i))
		}
	}
	var batches, posted int64
	for _, p := range nodes {
		batches += p.batches.Load()
		posted += p.posted.Load()
	}
	if batches != 2*n || posted != 0 {
		t.Errorf("%d batches and %d single posts; want one batch for each of two nodes and %d payloads", batches, posted, n)
	}
}

// TestDrain: SIGTERM closes the sockets, removes their rows and gives the lease
// back; the other node goes on.
func TestDrain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.start("a"), f.start("b")
	ann, bob := f.join(a, "ann"), f.join(b, "bob")
	row := f.rows("ann")[0]
	if lease := f.lease(row); lease.Rev < 2 {
		t.Fatalf("the lease is %+v", lease)
	}
	if got := a.health(); got != "ready\n" {
		t.Errorf("/readyz with the lease: %q", got)
	}
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if p := ann.Expect(ws.Close); len(p) < 2 || int(p[0])<<8|int(p[1]) != 1001 {
		t.Errorf("the close frame has %q; want 1001", p)
	}
	// The node waits for ann's answer, and is not ready meanwhile.
	if got := a.health(); got != "draining\n" {
		t.Errorf("/readyz while draining: %q", got)
	}
	ann.Send(wstest.Close(1001, ""))
	if err := <-a.ended; err != nil {
		t.Errorf("a ended with %v", err)
	}
	if rows := f.rows("ann"); len(rows) != 0 {
		t.Errorf("rows are left: %+v", rows)
	}
	if lease := f.lease(row); lease.Rev != 0 {
		t.Errorf("the lease is left: %+v", lease)
	}
	b.delivers("bob", bob)
}

// TestKilled: nobody renews the lease of a node that is killed, and then the
// sweeper of another removes its rows, and nobody else's.
func TestKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.start("a"), f.start("b")
	f.join(a, "ann")
	bob := f.join(b, "bob")
	annRow, bobRow := f.rows("ann")[0], f.rows("bob")[0]
	f.until("both leases are renewed", func() bool { return f.lease(annRow).Rev > 2 && f.lease(bobRow).Rev > 2 })
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-a.ended
	last := f.lease(annRow).Rev
	f.until("ann's row is swept", func() bool {
		gone := len(f.rows("ann")) == 0
		if gone && f.lease(annRow).Rev >= last {
			t.Fatal("the row went before the lease")
		}
		return gone
	})
	if f.lease(bobRow).Rev == 0 {
		t.Error("the lease of b, which lives, has ended as well")
	}
	if rows := f.rows("bob"); len(rows) != 1 || rows[0].Endpoint != bobRow.Endpoint {
		t.Errorf("rows of bob: %+v; want his own", rows)
	}
	b.delivers("bob", bob)

	// A new process at the address is another node.
	f.launch(a)
	f.join(a, "eve")
	if rows := f.rows("eve"); len(rows) != 1 || rows[0].Endpoint == annRow.Endpoint {
		t.Errorf("rows of eve: %+v; want one with an endpoint of its own", rows)
	}
}

// delivers fails the test unless notifications reach a user, each once. The
// node that ended may have had requests for messages open at the queue: what is
// given to those comes again, later and in any order.
func (p *process) delivers(user string, conn *wstest.Conn) {
	p.t.Helper()
	const n = 6
	want := make(map[string]bool)
	for i := range n {
		text := fmt.Sprintf(`"%s after %d"`, user, i)
		want[text] = true
		if status := p.notify(notifySecret, `{"users":["`+user+`"],"data":`+text+`}`); status != 202 {
			p.t.Errorf("POST /notify: %d", status)
		}
	}
	for range n {
		text := conn.Expect(ws.Text)
		if !want[text] {
			p.t.Errorf("%s gets %s, twice or unasked", user, text)
		}
		delete(want, text)
	}
}

// TestBadSettings: the program says all that is missing, at once.
func TestBadSettings(t *testing.T) {
	components.Dynoxide(t) // It is skipped where the others are.
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = []string{"SUMU_NOTIFY_SECRET=short"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("it ended with %v", err)
	}
	for name := range complete {
		if !strings.Contains(stderr.String(), name+" is ") {
			t.Errorf("%q lacks %s", &stderr, name)
		}
	}
	if strings.Contains(stderr.String(), "short\n") {
		t.Errorf("%q repeats a value", &stderr)
	}
}
