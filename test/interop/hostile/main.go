// Hostile runs clients of ill will beside one of good will, against a gateway
// with its defaults, and prints what it costs:
//
//	go run ./hostile
//
// The gateway runs in a process of its own, so that its memory is its own.
// Hostile are clients that flood it with messages and come back when they are
// closed, that do not read, that read a little, and that stop in the middle of
// a handshake or of a frame. It goes on until the gateway's timeouts, 10 s, have
// ended all that they should end, and takes about 20 s.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

const (
	quiet  = 2 * time.Second  // how long is measured before and after
	attack = 60 * time.Second // at most
	settle = 10 * time.Second // what is left over is gone by then
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == serveArg {
		serve()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx)
	if err == nil {
		r.print(os.Stdout)
		err = r.check()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

// report is what was measured.
type report struct {
	before, during, after trips
	idle, peak, left      stats // of the gateway: before, the worst of during, after
	normal                tally
	ends                  *ends
}

// run starts a gateway, and stops it again.
func run(ctx context.Context) (r *report, err error) {
	t, err := startTarget(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	r = new(report)
	n, err := connectNormal(ctx, t.addr)
	if err != nil {
		return nil, err
	}
	defer n.close()

	n.phase(&r.before)
	if err := pause(ctx, quiet); err != nil {
		return nil, err
	}
	if r.idle, err = t.stats(true); err != nil {
		return nil, err
	}

	n.phase(&r.during)
	over, cancel := context.WithTimeout(ctx, attack)
	defer cancel()
	done := make(chan *ends, 1)
	go func() { done <- attackAll(over, t.addr) }()
	for r.ends == nil {
		s, err := t.stats(false)
		if err != nil {
			return nil, err
		}
		r.peak.worst(s)
		select {
		case r.ends = <-done:
		case <-time.After(200 * time.Millisecond):
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	// What the attackers left is gone once theirs are closed.
	for deadline := time.Now().Add(settle); ; {
		if r.left, err = t.stats(true); err != nil {
			return nil, err
		}
		if r.left.Sockets == 1 && r.left.Rows == 1 || time.Now().After(deadline) {
			break
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	n.phase(&r.after)
	if err := pause(ctx, quiet); err != nil {
		return nil, err
	}
	if r.left, err = t.stats(true); err != nil {
		return nil, err
	}
	r.normal, err = n.finish()
	return r, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (r *report) print(w io.Writer) {
	fmt.Fprintln(w, "the client of good will      before          during          after")
	fmt.Fprintf(w, "  round trips         %13d   %13d   %12d\n", len(r.before.rtt), len(r.during.rtt), len(r.after.rtt))
	for _, p := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"max", 1}} {
		fmt.Fprintf(w, "  %s                 %13v   %13v   %12v\n", p.name, r.before.at(p.at), r.during.at(p.at), r.after.at(p.at))
	}
	fmt.Fprintf(w, "  sent %d, echoed %d; posted to it %d, received %d\n",
		r.normal.sent, r.normal.echoed, r.left.Posted, r.normal.posts)
	fmt.Fprintln(w, "the gateway                  before   during (worst)          after")
	for _, m := range []struct {
		name string
		of   func(stats) any
	}{
		{"resident", func(s stats) any { return mib(s.Resident) }},
		{"heap and stacks", func(s stats) any { return mib(s.InUse) }},
		{"goroutines", func(s stats) any { return s.Goroutines }},
		{"sockets", func(s stats) any { return s.Sockets }},
		{"rows", func(s stats) any { return s.Rows }},
	} {
		fmt.Fprintf(w, "  %-18s  %13v   %13v   %12v\n", m.name, m.of(r.idle), m.of(r.peak), m.of(r.left))
	}
	fmt.Fprintf(w, "  posts to the hostile: %d taken, %d throttled\n", r.left.Taken, r.left.Throttled)
	r.ends.print(w)
}

func mib(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// maxInUse is what the gateway may hold for them all: WriteBuffer for each that
// does not read, a frame's buffer for each that stops within it, twice, as the
// heap doubles between two collections, and room for the rest.
const maxInUse = 2*(slowReaders*(256<<10)+halfFrames*(64<<10)) + 32<<20

// check returns what is not as promised. It asks nothing of times.
func (r *report) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(r.before.rtt) == 0 || len(r.during.rtt) == 0 || len(r.after.rtt) == 0 {
		bad("the client of good will got no answer in one of the phases")
	}
	if r.normal.sent != r.normal.echoed {
		bad("the client of good will sent %d and got %d back", r.normal.sent, r.normal.echoed)
	}
	if r.normal.posts != r.left.Posted || r.left.Posted == 0 {
		bad("the client of good will was posted %d and got %d", r.left.Posted, r.normal.posts)
	}
	if grown := int64(r.peak.InUse) - int64(r.idle.InUse); grown > maxInUse {
		bad("the attack cost %d bytes, at most %d are promised", grown, maxInUse)
	}
	if grown := int64(r.left.InUse) - int64(r.idle.InUse); grown > 8<<20 {
		bad("%d bytes are left of the attack", grown)
	}
	if r.left.Sockets != 1 || r.left.Rows != 1 {
		bad("%d sockets and %d rows are left, want 1", r.left.Sockets, r.left.Rows)
	}
	if r.left.Goroutines > r.idle.Goroutines+4 {
		bad("%d goroutines are left of %d", r.left.Goroutines, r.idle.Goroutines)
	}
	return errors.Join(append(errs, r.ends.check()...)...)
}
