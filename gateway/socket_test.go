package gateway_test

import (
	"testing"

	"github.com/sumu-live/sumu/gateway"
)

// Beyond 512 bytes Go's allocator gives 576, 8 of which are a header in front: what a
// post needs of a socket is no longer in one cache line.
func TestSizeOfSocket(t *testing.T) {
	if gateway.SocketSize > 512 {
		t.Errorf("a socket is %d bytes; at most 512", gateway.SocketSize)
	}
}
