package sumu

import (
	"errors"
	"strings"
)

// ErrOrigin is why a page may not connect. It comes inside an [Error] of the kind
// ErrForbidden.
var ErrOrigin = errors.New("origin is not allowed")

// AmbientReader is an [Authorizer] that tells whether it goes by ambient
// credentials: those that a browser sends along whatever page opens the
// connection, such as a cookie, a password or a certificate that it keeps, or
// the address that it has in a private network. One that wraps others passes
// their answers on.
//
// Of an Authorizer that is no AmbientReader a request tells by itself, see
// [ConnectRequest.Ambient].
type AmbientReader interface {
	// AmbientCredentials reports whether Authorize decides about r by ambient
	// credentials; with r nil, whether it ever does.
	AmbientCredentials(r *ConnectRequest) bool
}

// Ambient reports whether a request has credentials that browsers send by
// themselves: a Cookie, or an Authorization of Basic, Digest, Negotiate or NTLM.
// A token in the query, in a sub-protocol, or behind Bearer was put there by
// whoever opens the connection.
func (r *ConnectRequest) Ambient() bool {
	for _, v := range r.HeaderValues("Cookie") {
		if strings.TrimSpace(v) != "" {
			return true
		}
	}
	for _, v := range r.HeaderValues("Authorization") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(v), " ")
		switch strings.ToLower(scheme) {
		case "basic", "digest", "negotiate", "ntlm":
			return true
		}
	}
	return false
}

// OriginPolicy says whose pages may connect. An [App] has one; see
// [AppOptions.Origins] for what it says.
type OriginPolicy struct {
	reader AmbientReader // nil: requests tell
	all    bool
	listed bool
	exact  map[origin]bool
	below  []origin // "https://*.example.com:8443" without the "*."
}

// Origins returns the policy of [AppOptions.Origins], for transports.
func (a *App) Origins() *OriginPolicy { return a.origins }

// NewOriginPolicy returns the policy for what auth lets in, from a list as
// [AppOptions.Origins] has it. ErrInvalid is returned with every entry that can
// be no page's.
func NewOriginPolicy(auth Authorizer, origins []string) (*OriginPolicy, error) {
	p := &OriginPolicy{listed: len(origins) > 0, exact: make(map[origin]bool, len(origins))}
	p.reader, _ = auth.(AmbientReader)
	var errs []error
	for i, text := range origins {
		if text == "*" {
			p.all = true
			continue
		}
		scheme, host, wildcard := strings.Cut(text, "://*.")
		if wildcard {
			text = scheme + "://" + host
		}
		o, err := parseOrigin(text)
		if err == nil && wildcard && (!strings.Contains(o.host, ".") || strings.HasPrefix(o.host, "[")) {
			err = errors.New("a whole top-level domain is not one site, and an address has nothing below it")
		}
		switch {
		case err != nil:
			errs = append(errs, invalid("Origins[%d]: %v", i, err))
		case wildcard:
			p.below = append(p.below, o)
		default:
			p.exact[o] = true
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// SameHostOnly reports whether no page but those of the endpoint's own host may
// connect: the Authorizer goes by ambient credentials, and there is no list.
// Where an endpoint has no pages, as behind API Gateway, that is a fault of
// configuration.
func (p *OriginPolicy) SameHostOnly() bool {
	return !p.listed && p.reader != nil && p.reader.AmbientCredentials(nil)
}

var (
	errNotListed = &Error{Op: "Origin is not among those that may connect", Kind: ErrForbidden, Err: ErrOrigin}
	errForeign   = &Error{Op: "Origin is of another host, and browsers send these credentials by themselves", Kind: ErrForbidden, Err: ErrOrigin}
)

// Check returns ErrForbidden, with [ErrOrigin], for a request of a page that may
// not connect. It is asked before the Authorizer.
func (p *OriginPolicy) Check(r *ConnectRequest) error {
	values := r.HeaderValues("Origin")
	if len(values) == 0 || p.all { // No browser omits it.
		return nil
	}
	var from origin
	err := errors.New("several origins") // No browser sends two.
	if len(values) == 1 {
		from, err = parseOrigin(values[0])
	}
	switch {
	case p.listed && (err != nil || !p.allows(from)):
		return errNotListed
	case p.listed:
	case err == nil && from == r.ownOrigin():
	case p.ambient(r):
		return errForeign
	}
	return nil
}

func (p *OriginPolicy) ambient(r *ConnectRequest) bool {
	if p.reader == nil {
		return r.Ambient()
	}
	return p.reader.AmbientCredentials(r)
}

func (p *OriginPolicy) allows(o origin) bool {
	if p.exact[o] {
		return true
	}
	for _, w := range p.below {
		labels, ok := strings.CutSuffix(o.host, "."+w.host)
		if ok && labels != "" && o.scheme == w.scheme && o.port == w.port {
			return true
		}
	}
	return false
}
