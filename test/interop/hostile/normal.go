package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// trips are the round trips of one phase.
type trips struct{ rtt []time.Duration }

// at returns a quantile.
func (t *trips) at(q float64) time.Duration {
	if len(t.rtt) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.rtt))
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[i].Round(time.Microsecond)
}

// tally is what the client of good will counted.
type tally struct{ sent, echoed, posts int }

// normal sends a number fifty times a second, gets it back, and gets numbers
// that are posted to it.
type normal struct {
	c      *websocket.Conn
	cancel context.CancelFunc
	stop   chan struct{} // closed: send no more
	wrote  chan error
	read   chan error

	mu    sync.Mutex
	into  *trips
	since map[int]time.Time
	tally tally
}

func connectNormal(ctx context.Context, addr string) (*normal, error) {
	c, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws?user="+normalUser, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	n := &normal{
		c: c, cancel: cancel,
		stop: make(chan struct{}), wrote: make(chan error, 1), read: make(chan error, 1),
		into: new(trips), since: make(map[int]time.Time),
	}
	go func() { n.wrote <- n.write(ctx) }()
	go func() { n.read <- n.receive(ctx) }()
	return n, nil
}

// phase has what is sent from now on counted in t.
func (n *normal) phase(t *trips) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.into = t
}

func (n *normal) write(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 1; ; i++ {
		select {
		case <-n.stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		n.mu.Lock()
		n.since[i] = time.Now()
		n.tally.sent++
		n.mu.Unlock()
		text := fmt.Sprintf("echo %d %s", i, strings.Repeat("x", 100))
		if err := n.c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return err
		}
	}
}

func (n *normal) receive(ctx context.Context) error {
	for {
		_, b, err := n.c.Read(ctx)
		if err != nil {
			return err
		}
		var kind string
		var i int
		if _, err := fmt.Sscan(string(b), &kind, &i); err != nil {
			return fmt.Errorf("received %.40q: %w", b, err)
		}
		if err := n.count(kind, i); err != nil {
			return err
		}
	}
}

// count fails when a number is missing, comes twice, or comes out of order.
func (n *normal) count(kind string, i int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	last := &n.tally.posts
	if kind == "echo" {
		last = &n.tally.echoed
		n.into.rtt = append(n.into.rtt, time.Since(n.since[i]))
		delete(n.since, i)
	}
	if i != *last+1 {
		return fmt.Errorf("%s %d came after %d", kind, i, *last)
	}
	*last = i
	return nil
}

// finish sends no more, and closes the connection: the gateway closes it behind
// all that is pending for it.
func (n *normal) finish() (tally, error) {
	close(n.stop)
	err := <-n.wrote
	// A ping is answered behind the echoes of what was sent before it.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(err, n.c.Ping(ctx))
	n.cancel()
	if e := <-n.read; !errors.Is(e, context.Canceled) {
		err = errors.Join(err, e)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tally, err
}

func (n *normal) close() {
	n.cancel()
	_ = n.c.CloseNow() // It may be closed already.
}
