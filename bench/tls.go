package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificate is one that the server signs itself, with the curve that most have.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// openTLS dials one socket, which has a goroutine that reads it.
func (r *readers) openTLS(address, kind string, user int) error {
	nc, err := tls.Dial("tcp", address, &tls.Config{
		InsecureSkipVerify: true, // It is our own, on this machine.
		// Otherwise every client would keep a ticket.
		SessionTicketsDisabled: true,
	})
	if err != nil {
		return err
	}
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := nc.Write([]byte(request(address, user))); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	var response []byte
	b := make([]byte, 1024)
	for !bytes.HasSuffix(response, []byte("\r\n\r\n")) {
		n, err := nc.Read(b)
		if err != nil {
			return fmt.Errorf("response %q: %w", response, err)
		}
		response = append(response, b[:n]...)
	}
	if !bytes.HasPrefix(response, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("response is %q", response)
	}
	_ = nc.SetDeadline(time.Time{})
	id := int(r.ids.Add(1)) - 1
	go func() { // It ends with the process.
		for {
			n, err := nc.Read(b)
			if err == nil {
				err = r.take(id, b[:n])
			}
			if err != nil {
				r.fail(err)
				return
			}
		}
	}()
	return nil
}
