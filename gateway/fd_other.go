//go:build !unix

package gateway

import (
	"errors"
	"net"
	"syscall"
)

var errAgain = errors.New("no descriptor here")

// rawConn returns nil: there are no descriptors of which reads return at once.
func rawConn(net.Conn) syscall.RawConn { return nil }

func readFD(uintptr, []byte) (int, error) { return 0, errAgain }

func writeFD(uintptr, []byte) (int, error) { return 0, errAgain }
