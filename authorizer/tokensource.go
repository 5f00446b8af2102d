package authorizer

import (
	"net/http"
	"strings"

	"github.com/sumu-live/sumu"
)

// TokenSource is a place of a request that may hold a token. It is made by
// [FromQuery], [FromHeader], [FromSubprotocol] or [FromCookie].
type TokenSource struct {
	name   string
	cookie bool                                             // browsers send it by themselves
	header bool                                             // no page can set it for a WebSocket, but a proxy may
	read   func(r *sumu.ConnectRequest, name string) string // "": no token here
}

// FromQuery reads a parameter of the query, whose name is compared exactly. A
// scheme "Bearer " before the token is removed. Of several values the first
// that is a token counts. Addresses end in the logs of proxies: prefer another
// source where the client can choose.
func FromQuery(name string) TokenSource {
	return TokenSource{name: name, read: func(r *sumu.ConnectRequest, name string) string {
		return firstBearer(r.Query[name])
	}}
}

// FromHeader reads a header, whose name may be in any case. The token may
// follow the scheme "Bearer" (in any case) or stand alone; a value with
// another scheme, such as Basic, is no token. Of several values the first
// that is a token counts.
func FromHeader(name string) TokenSource {
	return TokenSource{name: name, header: true, cookie: strings.EqualFold(name, "Cookie"), read: func(r *sumu.ConnectRequest, name string) string {
		return firstBearer(r.HeaderValues(name))
	}}
}

// FromSubprotocol reads the first sub-protocol that the client offers with
// this prefix: new WebSocket(url, ["sumu", "bearer." + token]) is how a browser
// sends a token without putting it into the address. It is never echoed.
func FromSubprotocol(prefix string) TokenSource {
	return TokenSource{name: prefix, read: func(r *sumu.ConnectRequest, prefix string) string {
		for _, p := range r.Subprotocols() {
			if token, ok := strings.CutPrefix(p, prefix); ok && token != "" {
				return token
			}
		}
		return ""
	}}
}

// FromCookie reads a cookie, whose name is compared exactly. Of several with
// the name the first that is not empty counts; a name that begins with
// "__Host-" keeps other hosts of the same domain from adding theirs.
//
// A browser sends its cookies along whatever page opens the connection: with
// this source an Authorizer goes by ambient credentials ([sumu.AmbientReader]),
// so pages of other hosts connect only by [sumu.AppOptions.Origins].
func FromCookie(name string) TokenSource {
	return TokenSource{name: name, cookie: true, read: func(r *sumu.ConnectRequest, name string) string {
		// The parser of net/http passes over the cookies that it cannot read.
		req := http.Request{Header: http.Header{"Cookie": r.HeaderValues("Cookie")}}
		for _, c := range req.CookiesNamed(name) {
			if c.Value != "" {
				return c.Value
			}
		}
		return ""
	}}
}

// ambient reports whether a token from this source of a request is, or may have
// been made from, what a browser sends by itself.
func (s TokenSource) ambient(r *sumu.ConnectRequest) bool { return s.cookie || s.header && r.Ambient() }

func firstBearer(values []string) string {
	for _, v := range values {
		if token := bearer(v); token != "" {
			return token
		}
	}
	return ""
}

// bearer takes the token from "Bearer <token>" or "<token>".
func bearer(value string) string {
	value = strings.Trim(value, " \t")
	scheme, rest, found := strings.Cut(value, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return strings.Trim(rest, " \t")
	case found:
		return "" // Another scheme: credentials for somebody else.
	}
	return value
}
