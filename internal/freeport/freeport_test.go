package freeport

import (
	"errors"
	"net"
	"testing"
)

// of returns the ports one after the other, and then the last.
func of(ports ...int) func() int {
	return func() int {
		p := ports[0]
		if len(ports) > 1 {
			ports = ports[1:]
		}
		return p
	}
}

func TestTakePassesOver(t *testing.T) {
	claimed, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	used, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: used})
	if err != nil {
		t.Fatal(err) // It is the process's own to bind.
	}
	defer l.Close()
	last := held.claims[len(held.claims)-1]
	if err := last.Close(); err != nil { // As if another program listened there.
		t.Fatal(err)
	}
	want, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	if err := held.claims[len(held.claims)-1].Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := take(of(claimed, used, want)); got != want || err != nil {
		t.Errorf("took %d, %v; want %d, as %d is claimed and %d used", got, err, want, claimed, used)
	}
	if got, err := take(of(claimed)); !errors.Is(err, errNone) {
		t.Errorf("took %d, %v, where there is none", got, err)
	}
	if claimed < lowest || claimed > highest {
		t.Errorf("took %d", claimed)
	}
}
