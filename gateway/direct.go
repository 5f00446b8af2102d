package gateway

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"time"
)

// direct is the [http.ResponseWriter] of a request that a listener has read.
type direct struct {
	*arrival
	taken  bool // it is a socket's
	header http.Header
	status int
	body   []byte
}

// Header returns the headers to send.
func (w *direct) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader keeps the status.
func (w *direct) WriteHeader(status int) { w.status = status }

// Write keeps the body.
func (w *direct) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}

// take is what Hijack is for others.
func (w *direct) take() (net.Conn, []byte) {
	w.taken = true
	return w.nc, w.held
}

// end answers, and gives the connection to the server: what comes behind a
// handshake that was refused is another request.
func (w *direct) end() {
	if w.taken {
		return
	}
	if w.status == 0 { // There is nobody to answer.
		_ = w.nc.Close()
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&b) // A buffer takes everything.
	fmt.Fprintf(&b, "Date: %s\r\nContent-Length: %d\r\n\r\n", time.Now().UTC().Format(http.TimeFormat), len(w.body))
	b.Write(w.body)
	_ = w.nc.SetWriteDeadline(time.Now().Add(w.l.g.opts.WriteTimeout))
	if _, err := w.nc.Write(b.Bytes()); err != nil {
		_ = w.nc.Close()
		return
	}
	_ = w.nc.SetWriteDeadline(time.Time{})
	w.hand()
}
