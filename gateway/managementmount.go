package gateway

import (
	"net/http"
	"strings"
)

// WithManagement returns a handler that serves the management API of g (see
// [Gateway.Management]) and gives everything else to next: the API has the
// requests in whose path, as it came, a segment is "@connections". It goes in
// front of an [http.ServeMux], which would answer by a redirect where an SDK,
// whose endpoint ends in a slash, asks for "/prod//@connections/{id}".
//
//	mux.Handle("GET /ws", gw)
//	err := gateway.Server(gw.WithManagement(mux, creds)).Serve(ln)
func (g *Gateway) WithManagement(next http.Handler, creds ...Credentials) http.Handler {
	management := g.Management(creds...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, _ := requestTarget(r); isManagement(path) {
			management.ServeHTTP(w, r)
		} else {
			next.ServeHTTP(w, r)
		}
	})
}

func isManagement(path string) bool {
	for _, marker := range markers {
		if strings.Contains(path, marker) || strings.HasSuffix(path, marker[:len(marker)-1]) {
			return true
		}
	}
	return false
}
