package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

const (
	flooders       = 20 // at a time; each comes back maxFloods times at most
	maxFloods      = 100
	slowReaders    = 200 // half of them read nothing, half a little
	halfFrames     = 250
	halfHandshakes = 250
)

// ends is how the hostile connections ended.
type ends struct {
	mu    sync.Mutex
	sent  int                       // messages of the flood
	kinds map[string]map[string]int // by kind, then by end
}

func (e *ends) add(kind, how string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kinds[kind] == nil {
		e.kinds[kind] = make(map[string]int)
	}
	e.kinds[kind][how]++
}

const (
	kindFlood     = "flood"
	kindDeaf      = "reads nothing"
	kindTrickle   = "reads a little"
	kindFrame     = "half a frame"
	kindHandshake = "half a handshake"

	endOurs  = "open until the attack's end"
	endReset = "cut off"
)

func (e *ends) print(w io.Writer) {
	fmt.Fprintf(w, "the hostile: the flood sent %d messages\n", e.sent)
	for _, kind := range []string{kindFlood, kindDeaf, kindTrickle, kindFrame, kindHandshake} {
		fmt.Fprintf(w, "  %-18s", kind)
		for how, n := range e.kinds[kind] {
			fmt.Fprintf(w, "%5d %s ", n, how)
		}
		fmt.Fprintln(w)
	}
}

// check returns who was let go on.
func (e *ends) check() (errs []error) {
	for kind, want := range map[string]struct {
		how string
		n   int
	}{
		kindFlood:     {"closed with 1008", 1},
		kindDeaf:      {endReset, slowReaders / 2},
		kindFrame:     {"closed with 1008", halfFrames},
		kindHandshake: {endReset, halfHandshakes},
	} {
		got := e.kinds[kind][want.how]
		if got < want.n {
			errs = append(errs, fmt.Errorf("%s: %d were %s, want %d: %v", kind, got, want.how, want.n, e.kinds[kind]))
		}
	}
	return errs
}

// attackAll ends when the gateway has ended all that it should end, at the
// latest with ctx.
func attackAll(ctx context.Context, addr string) *ends {
	e := &ends{kinds: make(map[string]map[string]int)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var doomed, others sync.WaitGroup
	many := func(wg *sync.WaitGroup, n int, kind string, f func(a *attacker) string) {
		for i := range n {
			wg.Go(func() {
				a := &attacker{ctx: ctx, e: e, url: fmt.Sprintf("ws://%s/ws?user=%s-%d", addr, strings.ReplaceAll(kind, " ", "-"), i)}
				for round := 0; ctx.Err() == nil && (round == 0 || kind == kindFlood && round < maxFloods); round++ {
					if how := f(a); how != "" {
						e.add(kind, how)
					}
					a.close()
				}
			})
		}
	}
	many(&doomed, slowReaders/2, kindDeaf, (*attacker).deaf)
	many(&doomed, halfFrames, kindFrame, (*attacker).halfFrame)
	many(&doomed, halfHandshakes, kindHandshake, func(a *attacker) string { return a.halfHandshake(addr) })
	many(&others, slowReaders/2, kindTrickle, (*attacker).trickle)
	many(&others, flooders, kindFlood, (*attacker).flood)
	doomed.Wait()
	cancel()
	others.Wait()
	return e
}

type attacker struct {
	ctx context.Context // of the attack
	e   *ends
	url string
	nc  net.Conn
	r   io.Reader
	off func() bool
}

// take makes a connection the attacker's. It ends with the attack.
func (a *attacker) take(nc net.Conn) {
	a.nc, a.r = nc, nc
	a.off = context.AfterFunc(a.ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
}

func (a *attacker) close() {
	if a.nc != nil {
		a.off()
		_ = a.nc.Close()
		a.nc = nil
	}
}

// open opens a WebSocket. Whoever does not read has its system buffer little.
func (a *attacker) open(reads bool) error {
	d := ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil && !reads {
			err = nc.(*net.TCPConn).SetReadBuffer(4096)
		}
		return nc, err
	}}
	nc, early, _, err := d.Dial(a.ctx, a.url)
	if err != nil {
		return err
	}
	_ = nc.SetDeadline(time.Time{})
	a.take(nc)
	if early != nil {
		a.r = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), nc)
	}
	return nil
}

// how says how the connection ended; a close frame is looked for in what is
// still to be read.
func (a *attacker) how() string {
	for {
		f, err := ws.ReadFrame(a.r)
		switch {
		case err != nil && a.ctx.Err() != nil:
			return endOurs
		case err != nil:
			return endReset
		case f.Header.OpCode == ws.OpClose:
			code, _ := ws.ParseCloseFrameData(f.Payload)
			return fmt.Sprint("closed with ", int(code))
		}
	}
}

// notOpened is what becomes of an attacker that is not let in.
func (a *attacker) notOpened(err error) string {
	if a.ctx.Err() != nil {
		return "" // The attack is over.
	}
	return fmt.Sprintf("not opened: %v", err)
}

func text(payload []byte) []byte {
	var b bytes.Buffer
	_ = ws.WriteFrame(&b, ws.MaskFrameInPlace(ws.NewTextFrame(payload))) // A buffer takes all.
	return b.Bytes()
}

// flood sends eighty times what is handled, and goes on when it is told that it
// is closed. It reads all the time.
func (a *attacker) flood() string {
	if err := a.open(true); err != nil {
		return a.notOpened(err)
	}
	ended := make(chan string, 1)
	go func() { ended <- a.how() }()
	burst := bytes.Repeat(text(make([]byte, 1<<10)), 16)
	n := 0
	for pause(a.ctx, 2*time.Millisecond) == nil {
		if _, err := a.nc.Write(burst); err != nil {
			break
		}
		n += 16
	}
	a.e.mu.Lock()
	a.e.sent += n
	a.e.mu.Unlock()
	return <-ended
}

// deaf sends messages whose answers it does not read.
func (a *attacker) deaf() string {
	if err := a.open(false); err != nil {
		return a.notOpened(err)
	}
	for {
		if _, err := a.nc.Write(text(bytes.Repeat([]byte("d"), 16<<10))); err != nil {
			if a.ctx.Err() != nil {
				return endOurs
			}
			return endReset
		}
		if pause(a.ctx, 50*time.Millisecond) != nil {
			return endOurs
		}
	}
}

// trickle reads a hundred bytes, ten times a second: it stays, and is of no use.
func (a *attacker) trickle() string {
	if err := a.open(false); err != nil {
		return a.notOpened(err)
	}
	b := make([]byte, 100)
	for {
		if _, err := a.r.Read(b); err != nil {
			if a.ctx.Err() != nil {
				return endOurs
			}
			return endReset
		}
		if pause(a.ctx, 100*time.Millisecond) != nil {
			return endOurs
		}
	}
}

// halfFrame announces 32 KB, sends half of them, and waits.
func (a *attacker) halfFrame() string {
	if err := a.open(true); err != nil {
		return a.notOpened(err)
	}
	whole := text(bytes.Repeat([]byte("h"), 32<<10))
	if _, err := a.nc.Write(whole[:len(whole)/2]); err != nil {
		return endReset
	}
	return a.how()
}

// halfHandshake sends a half request, and waits.
func (a *attacker) halfHandshake(addr string) string {
	nc, err := (&net.Dialer{}).DialContext(a.ctx, "tcp", addr)
	if err != nil {
		return a.notOpened(err)
	}
	a.take(nc)
	if _, err := io.WriteString(nc, "GET /ws?user=h HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: webso"); err != nil {
		return endReset
	}
	return a.how()
}
