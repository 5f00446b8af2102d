package components

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/internal/freeport"
)

// A port that the system may give to an outgoing connection, or this package to
// another component, is taken before the program that it was chosen for has
// bound it.
func TestFreePortStaysFree(t *testing.T) {
	lowest := 1 << 15
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if lowest, err = strconv.Atoi(strings.Fields(string(text))[0]); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[int]bool{}
	for range 50 {
		port, err := freeport.Take()
		if err != nil {
			t.Fatal(err)
		}
		if port >= lowest || seen[port] {
			t.Fatalf("port %d is one of outgoing connections (from %d on), or was given before: %v", port, lowest, seen[port])
		}
		seen[port] = true
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}
