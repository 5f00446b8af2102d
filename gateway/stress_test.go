package gateway_test

import (
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// Thousands connect at once; each gets what is posted to it and nothing else,
// and when they leave at once nothing is left.
func TestThousandsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 sockets take seconds; run without -short")
	}
	const sockets, dialers = 5000, 50
	e := start(t, config{})
	before := runtime.NumGoroutine()
	conns := make([]net.Conn, sockets)
	var wg sync.WaitGroup
	for d := range dialers {
		wg.Go(func() {
			for i := d; i < sockets; i += dialers {
				nc, err := dialUpgraded(e.srv.Listener.Addr().String(), "/?user=u"+strconv.Itoa(i))
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = nc
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	if e.gw.Sockets() != sockets || e.rows() != sockets {
		t.Fatalf("%d sockets, %d rows", e.gw.Sockets(), e.rows())
	}
	most, what := before+10, "no goroutine per socket"
	if *unpolled || runtime.GOOS != "linux" {
		most, what = most+sockets, "one goroutine per socket"
	}
	until(t, what, func() bool { return runtime.NumGoroutine() <= most })
	index := make(map[string]int, sockets)
	for range sockets {
		row := e.accepted()
		i, err := strconv.Atoi(row.UserID[1:])
		if err != nil {
			t.Fatal(err)
		}
		index[row.ID] = i
		if err := e.post(sumu.Connection{ID: row.ID}, row.ID); err != nil {
			t.Fatal(err)
		}
	}
	for id, i := range index {
		want := string([]byte{0x81, byte(len(id))}) + id
		got := make([]byte, len(want))
		_ = conns[i].SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := conns[i].Read(got); err != nil || string(got[:n]) != want {
			t.Fatalf("socket %d got %q (%v), want %q", i, got[:n], err, want)
		}
	}
	for _, nc := range conns {
		_ = nc.Close()
	}
	for range sockets {
		if end := receive(t, e.ended); end.reason.Code != 1006 || end.err != nil {
			t.Fatalf("%+v", end)
		}
	}
	shutdown(t, e)
	if e.gw.Sockets() != 0 || e.rows() != 0 {
		t.Errorf("%d sockets and %d rows are left", e.gw.Sockets(), e.rows())
	}
}
