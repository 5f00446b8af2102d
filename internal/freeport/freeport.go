// Package freeport chooses ports for programs that cannot be given a listener.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
)

// Systems give ports from 32768 (Linux) or 49152 on to outgoing connections: a
// port from there is gone again before the program binds it.
const (
	lowest  = 20_000
	highest = 32_767
)

// held keeps the claims on ports from being collected, which would end them.
var held struct {
	sync.Mutex
	claims []net.PacketConn
}

var errNone = errors.New("freeport: no port is free")

// Take returns a port on which nothing listens on 127.0.0.1. Until this process
// ends no Take of any process returns it again: the port of the same number for
// UDP says that it is claimed.
func Take() (int, error) {
	return take(func() int { return lowest + rand.IntN(highest-lowest+1) })
}

func take(candidate func() int) (int, error) {
	for range 1_000 {
		port := candidate()
		claim, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		// Of every interface, as some programs listen.
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port})
		if err != nil {
			_ = claim.Close()
			continue
		}
		if err := l.Close(); err != nil {
			_ = claim.Close()
			return 0, err
		}
		held.Lock()
		held.claims = append(held.claims, claim)
		held.Unlock()
		return port, nil
	}
	return 0, errNone
}
