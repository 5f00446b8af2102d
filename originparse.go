package sumu

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// origin is what browsers send in Origin (RFC 6454, 6.1), in one form: lower
// case, an address of IPv6 as short as can be, without the port that is the
// scheme's own.
type origin struct{ scheme, host, port string }

// Two origins have no host: what pages of files and sandboxed ones send.
const (
	originNull = "null"
	originFile = "file://"
)

// parseOrigin returns why no browser sends a text as an origin.
func parseOrigin(text string) (origin, error) {
	text = strings.ToLower(text)
	if text == originNull || text == originFile {
		return origin{scheme: text}, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !isScheme(scheme) || rest == "" {
		return origin{}, errors.New("not an origin; one looks like https://app.example.com")
	}
	if strings.ContainsAny(rest, "/?#@\\") {
		return origin{}, errors.New("an origin ends with its host or port, without a slash, and has no user")
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return origin{}, err
	}
	if port == defaultPorts[scheme] {
		port = ""
	}
	return origin{scheme, host, port}, nil
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

func splitPort(text string) (host, port string, err error) {
	host, port = text, ""
	if at := strings.LastIndexByte(text, ':'); at > strings.LastIndexByte(text, ']') {
		n, err := strconv.ParseUint(text[at+1:], 10, 16)
		if err != nil || n == 0 {
			return "", "", errors.New("the port is no number from 1 to 65535")
		}
		host, port = text[:at], strconv.FormatUint(n, 10)
	}
	inside, bracketed := strings.CutPrefix(host, "[")
	if !bracketed {
		if !isHost(host) {
			return "", "", errors.New(`a host has letters of ASCII (xn--… of others), digits, "-", "_" and "."; "*." may stand before it only`)
		}
		return host, port, nil
	}
	inside, closed := strings.CutSuffix(inside, "]")
	addr, err := netip.ParseAddr(inside)
	if err != nil || !closed || !addr.Is6() || addr.Zone() != "" {
		return "", "", errors.New("not an address of IPv6 in brackets")
	}
	return "[" + addr.String() + "]", port, nil
}

// isHost reports whether s, in lower case, is labels with dots between them; one
// dot may end it.
func isHost(s string) bool {
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func isScheme(s string) bool {
	return s != "" && 'a' <= s[0] && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// ownOrigin is that of pages at the host which the client has connected to; the
// zero origin, which is no page's, where that is not known.
func (r *ConnectRequest) ownOrigin() origin {
	if r.Host == "" || r.Scheme != "http" && r.Scheme != "https" {
		return origin{}
	}
	o, err := parseOrigin(r.Scheme + "://" + r.Host)
	if err != nil {
		return origin{}
	}
	return o
}
