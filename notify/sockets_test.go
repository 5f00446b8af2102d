package notify_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/sumutest"
)

// A Local, a pusher and a gateway together, seen by the clients.
func TestLocalReachesSocketsInOrder(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t)
	conns := []*sumutest.Conn{env.Connect(t, "ann"), env.Connect(t, "ann"), env.Connect(t, "bob")}
	var want []string
	for i := range 300 { // More than one batch.
		env.Notify(t, i, "ann", "bob")
		want = append(want, fmt.Sprint(i))
	}
	for _, c := range conns {
		for _, w := range want {
			c.Expect(t, w)
		}
		c.ExpectNothing(t)
	}
}

// Each post is refused at times, whoever it is to: everybody gets everything
// once all the same.
func TestLocalUnderThrottlingReachesSocketsOnce(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t)
	conns := []*sumutest.Conn{env.Connect(t, "ann"), env.Connect(t, "bob"), env.Connect(t, "cid")}
	var want []string
	for i := range 100 {
		if i%3 == 0 {
			env.Sender.FailNext(sumu.ErrThrottled, nil, nil, sumu.ErrUnavailable)
		}
		env.NotifyEveryone(t, i)
		want = append(want, fmt.Sprint(i))
	}
	env.Settle(t)
	slices.Sort(want)
	for _, c := range conns {
		for range want {
			c.Next(t)
		}
		c.ExpectNothing(t)
		got := c.Received()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%v has received %v, want each of %d once", c, got, len(want))
		}
	}
}
