package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// smallBuffers keeps the system from taking megabytes for a client that does
// not read.
const smallBuffers = 64 << 10

// small limits what the system buffers on the client's side; config.small does
// so on the server's.
func small(t *testing.T, c *wstest.Conn) {
	t.Helper()
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(smallBuffers); err != nil {
			t.Fatal(err)
		}
	}
}

// full waits until nothing more moves towards a client that does not read.
func (e *env) full(row sumu.Connection) {
	e.t.Helper()
	last, same := 0, 0
	until(e.t, "nothing that moves", func() bool {
		if n := e.gw.Pending(row.ID); n == 0 || n != last || !e.gw.Writing(row.ID) {
			last, same = n, 0
		}
		same++
		return same > 150
	})
}

// stuff posts until nothing more moves: the system may take all that is pending
// at first.
func (e *env) stuff(row sumu.Connection, text string) {
	e.t.Helper()
	last, same := 0, 0
	until(e.t, "a buffer that stays full", func() bool {
		for e.post(row, text) == nil {
			same = 0
		}
		if n := e.gw.Pending(row.ID); n != last || !e.gw.Writing(row.ID) {
			last, same = n, 0
		}
		same++
		return same > 150
	})
}

// A client that does not read is throttled, then reset. Nobody else notices.
func TestSlowReader(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{tls: tls, small: true})
			slow, slowRow := e.dial("slow")
			small(t, slow)
			quick, quickRow := e.dial("quick")
			got := make(chan int)
			go func() {
				n := 0
				for {
					f, err := quick.Next()
					if err != nil || string(f.Payload) == "end" {
						got <- n
						return
					}
					n++
				}
			}()
			text, posted := strings.Repeat("x", 16<<10), 0
			for {
				// The quick one takes it all: when its buffer is full it is
				// only a moment until it is not.
				until(t, "room", func() bool { return e.post(quickRow, text) == nil })
				posted++
				if err := e.post(slowRow, text); err != nil {
					if !errors.Is(err, sumu.ErrThrottled) {
						t.Fatal(err)
					}
					break
				}
			}
			if n := e.gw.Pending(slowRow.ID); n > 256<<10 {
				t.Errorf("%d bytes are pending, more than WriteBuffer", n)
			}
			until(t, "room", func() bool { return e.post(quickRow, "end") == nil })
			if n := receive(t, got); n != posted {
				t.Errorf("the quick one got %d of %d", n, posted)
			}
			e.stuff(slowRow, text)
			e.clock.Advance(9 * time.Second)
			e.gw.Turn()
			if err := e.post(slowRow, text); !errors.Is(err, sumu.ErrThrottled) {
				t.Errorf("post before WriteTimeout: %v, want ErrThrottled", err)
			}
			e.clock.Advance(time.Second)
			e.gw.Turn()
			e.expectEnd(slowRow, 1006)
			if err := e.post(slowRow, text); !errors.Is(err, sumu.ErrGone) {
				t.Errorf("post after WriteTimeout: %v, want ErrGone", err)
			}
			// Not even what was on its way is left: it was reset.
			for {
				if _, err := slow.Next(); err != nil {
					break
				}
			}
		})
	}
}

// A client that was slow and reads again gets everything, in order.
func TestSlowReaderRecovers(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{tls: tls, small: true})
			c, row := e.dial("ann")
			small(t, c)
			fill, posted := strings.Repeat("x", 5000), 0
			for e.post(row, fmt.Sprintf("%d %s", posted, fill)) == nil {
				posted++
			}
			for i := range posted {
				c.ExpectText(fmt.Sprintf("%d %s", i, fill))
			}
			until(t, "room", func() bool { return e.post(row, "again") == nil })
			c.ExpectText("again")
			until(t, "nothing that counts as pending", func() bool {
				return !e.gw.Writing(row.ID) && e.gw.Pending(row.ID) == 0
			})
			e.pass(time.Minute) // Its writer is not waited for any more.
			alive(t, c)
		})
	}
}

// A client that sends and does not read is not read either: its replies do
// not pile up, and once it reads it gets every one.
func TestRepliesHoldTheReader(t *testing.T) {
	e := start(t, config{small: true})
	reply := strings.Repeat("x", 32<<10)
	handled := make(chan struct{}, 1000)
	e.app.Handle("big", func(context.Context, sumu.Message) ([]byte, error) {
		handled <- struct{}{}
		return []byte(reply), nil
	})
	c, row := e.dial("ann")
	small(t, c)
	const n = 50 // 1.6 MB of replies, more than is buffered anywhere.
	for range n {
		c.Send(wstest.Text(`{"action":"big"}`))
	}
	e.full(row)
	if len(handled) == n {
		t.Error("all messages were handled, although no reply was read")
	}
	for range n {
		c.ExpectText(reply)
	}
}

// While replies are held, the end of the socket frees its goroutine.
func TestHeldReplyEnds(t *testing.T) {
	e := start(t, config{small: true})
	e.app.Handle("big", func(context.Context, sumu.Message) ([]byte, error) {
		return []byte(strings.Repeat("x", 100<<10)), nil
	})
	c, row := e.dial("ann")
	small(t, c)
	for range 20 {
		c.Send(wstest.Text(`{"action":"big"}`))
	}
	e.full(row)
	e.clock.Advance(10 * time.Second)
	e.gw.Turn()
	e.expectEnd(row, 1006)
}

// Frames without a payload are not free.
func TestEmptyFramesCount(t *testing.T) {
	e := start(t, config{small: true})
	c, row := e.dial("ann")
	small(t, c)
	for range 3 { // Until the system takes no more.
		for e.post(row, strings.Repeat("x", 100<<10)) == nil {
		}
		e.full(row)
	}
	n := 0
	for ; e.post(row, "") == nil; n++ {
		if n > 10_000 {
			t.Fatal("empty frames are taken without end")
		}
	}
}

// A burst is joined into few frames' worth of system calls but arrives as it
// was posted: small and large mixed.
func TestMixedSizes(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	var want []string
	for i := range 200 {
		text := fmt.Sprint(i, strings.Repeat("y", []int{0, 10, 125, 126, 3000, 32 << 10, 70_000}[i%7]))
		want = append(want, text)
		for e.post(row, text) != nil {
			// Its buffer is full: read what is there. All may be read a moment
			// before there is room again.
			if len(want) == 1 {
				runtime.Gosched()
				continue
			}
			if got := c.Expect(ws.Text); got != want[0] {
				t.Fatalf("got %.20s, want %.20s", got, want[0])
			}
			want = want[1:]
		}
	}
	for _, text := range want {
		c.ExpectText(text)
	}
}
