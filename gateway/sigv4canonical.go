package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// requestTarget returns the path and the query as they came over the wire.
// r.URL will not do: http.StripPrefix changes it, and what is routed must be
// exactly what was signed.
func requestTarget(r *http.Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	// A proxy's absolute form, or a request that no server has read.
	if path = r.URL.EscapedPath(); path == "" {
		path = "/"
	}
	return path, r.URL.RawQuery
}

// normalPath removes what is redundant from a path, as SigV4 and the SDKs do:
// empty segments, and those of dots. Percent-encoded bytes stay as they are.
func normalPath(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		switch s {
		case "", ".":
		case "..":
			segments = segments[:max(len(segments)-1, 0)]
		default:
			segments = append(segments, s)
		}
	}
	normal := "/" + strings.Join(segments, "/")
	if len(segments) > 0 && strings.HasSuffix(path, "/") {
		normal += "/"
	}
	return normal
}

// appendCanonicalRequest appends the canonical request of SigV4: what the
// caller signed, rebuilt from what arrived.
func appendCanonicalRequest(b []byte, r *http.Request, c *sigV4Claim, path, bodyHash string) ([]byte, error) {
	_, query := requestTarget(r)
	b = append(b, r.Method...)
	b = append(b, '\n')
	// The path on the wire is encoded once; every service but S3 signs it
	// encoded once more.
	b = appendEscaped(b, path, true)
	b = append(b, '\n')
	b, err := appendCanonicalQuery(b, query)
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	for name := range strings.SplitSeq(c.signedHeaders, ";") {
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, c.signedHeaders...)
	b = append(b, '\n')
	return append(b, bodyHash...), nil
}

func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		return appendTrimmed(b, r.Host)
	case "content-length":
		return strconv.AppendInt(b, r.ContentLength, 10)
	}
	values, _ := signedValues(r, name)
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// appendTrimmed trims white space and makes one space of several.
func appendTrimmed(b []byte, s string) []byte {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if s[i] == ' ' && s[i-1] == ' ' { // s[0] is no space.
			continue
		}
		b = append(b, s[i])
	}
	return b
}

// appendCanonicalQuery sorts by name, then value, both encoded.
func appendCanonicalQuery(b []byte, raw string) ([]byte, error) {
	if raw == "" {
		return b, nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuseQuery
	}
	type param struct{ name, value string }
	var params []param
	for name, values := range query {
		name = string(appendEscaped(nil, name, false))
		for _, v := range values {
			params = append(params, param{name, string(appendEscaped(nil, v, false))})
		}
	}
	slices.SortFunc(params, func(a, b param) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b, nil
}

// appendEscaped encodes all but RFC 3986's unreserved bytes (and "/").
func appendEscaped(b []byte, s string, keepSlash bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/' && keepSlash:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
