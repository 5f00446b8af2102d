package awslambda

import (
	"regexp"
	"strings"
	"sync"

	"github.com/sumu-live/sumu"
)

// redactedError has a text that is safe to log; the cause stays reachable.
type redactedError struct {
	text string
	err  error
}

// Error returns the text without anything that looks like a token.
func (r *redactedError) Error() string { return r.text }

// Unwrap returns the cause, for its kind.
func (r *redactedError) Unwrap() error { return r.err }

// tokenForm is what any JWT looks like. It is made for the first error: making
// it takes longer than all else that a cold start initialises of this package.
var tokenForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(\.[A-Za-z0-9_-]*)+`)
})

const redaction = "[redacted]"

// redacted takes out of the text of an error what the request presented as a
// credential. Errors of this module hold none, but an Authorizer may be anybody's.
func redacted(err error, r *sumu.ConnectRequest) error {
	text := tokenForm().ReplaceAllString(err.Error(), redaction)
	secrets := make([]string, 0, 8)
	for _, values := range r.Query {
		secrets = append(secrets, values...)
	}
	for _, name := range []string{"Authorization", "Cookie", "Sec-Websocket-Protocol"} {
		secrets = append(secrets, r.HeaderValues(name)...)
	}
	const short = 8 // Less is no secret, and may be a part of any word.
	for _, s := range secrets {
		for part := range strings.FieldsFuncSeq(s, func(c rune) bool { return strings.ContainsRune(` ,;=."`, c) }) {
			if len(part) >= short {
				text = strings.ReplaceAll(text, part, redaction)
			}
		}
	}
	if text == err.Error() {
		return err
	}
	return &redactedError{text: text, err: err}
}
