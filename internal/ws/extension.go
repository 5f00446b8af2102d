package ws

import (
	"slices"
	"strconv"
	"strings"
)

// deflate is the extension's name, as registered with IANA. Names and
// parameters are compared as they are written: declining is always allowed.
const deflate = "permessage-deflate"

// AcceptDeflate reads the lines of a client's Sec-WebSocket-Extensions and
// returns the server's, which accepts the first offer of permessage-deflate
// (RFC 7692) that can be met. It returns "" when none can: there is no extension
// then. What is not understood declines the offer it stands in, and no other.
//
// Neither side keeps a window from one message to the next: nothing has to be
// held for an idle socket, and a compressed message is the same for all.
func AcceptDeflate(lines []string) string {
	for _, line := range lines {
		for line != "" {
			var offer string
			offer, line = cut(line, ',')
			if answer, ok := acceptOffer(offer); ok {
				return answer
			}
		}
	}
	return ""
}

// acceptOffer answers one offer, such as "permessage-deflate; client_max_window_bits".
func acceptOffer(offer string) (answer string, ok bool) {
	name, params := cut(offer, ';')
	if strings.Trim(name, " \t") != deflate {
		return "", false
	}
	answer = deflate + "; server_no_context_takeover; client_no_context_takeover"
	var seen []string
	// A ";" at the end has an empty parameter behind it, which is none.
	for more := len(name) < len(offer); more; {
		var param string
		rest := params
		param, params = cut(rest, ';')
		more = len(param) < len(rest)
		name, value, hasValue, ok := parseParam(param)
		if !ok || slices.Contains(seen, name) {
			return "", false
		}
		seen = append(seen, name)
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			ok = !hasValue
		case "client_max_window_bits":
			// Left out of the answer: the client may use any window, as all
			// are understood.
			ok = !hasValue || windowBits(value) > 0
		case "server_max_window_bits":
			// compress/flate has but one window.
			ok = windowBits(value) == 15
			answer += "; server_max_window_bits=15"
		default:
			ok = false
		}
		if !ok {
			return "", false
		}
	}
	return answer, true
}

// windowBits reads the logarithm of a window's size: 8 to 15, without leading
// zeros. It returns 0 for anything else.
func windowBits(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 8 || n > 15 || strconv.Itoa(n) != s {
		return 0
	}
	return n
}

// parseParam reads "name", "name=value" or "name="value"", with white space
// around. A quoted value must be a token too (RFC 6455, section 9.1).
func parseParam(s string) (name, value string, hasValue, ok bool) {
	name, value, hasValue = strings.Cut(s, "=")
	name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = unescape(value[1 : n-1])
	}
	return name, value, hasValue, IsToken(name) && (!hasValue || IsToken(value))
}

// unescape removes the backslashes of a quoted string.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// cut splits s at the first sep that is not in quotes. A quote that does not
// end takes all.
func cut(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// IsToken reports whether s is one of RFC 9110, section 5.6.2.
func IsToken[T string | []byte](s T) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(s) > 0
}
