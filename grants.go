package sumu

import (
	"slices"
	"strings"
)

// Verb is something that a [Grant] allows.
type Verb string

// The verbs. What is joined, posted to and subscribed to is a channel's or an
// event's name; of VerbBackend it is an action, "publish" or "send".
const (
	VerbJoin      Verb = "join"
	VerbPost      Verb = "post"
	VerbSubscribe Verb = "subscribe"
	VerbBackend   Verb = "backend"
)

var verbs = []Verb{VerbJoin, VerbPost, VerbSubscribe, VerbBackend}

// Grant allows verbs for the names that match a pattern. A pattern is a name,
// or a prefix that ends in "*" and matches every longer name; "*" alone matches
// all, and "" matches none. A name or pattern has no white space.
type Grant struct {
	Pattern string
	Verbs   []Verb
}

// Grants is what an identity may do, decided when it connects and checked
// without any read. What no grant names is refused, except VerbBackend: it is
// allowed for every action until a grant names it. To take it away, grant it
// for the pattern "".
type Grants []Grant

// Allow reports whether the grants allow a verb for a name.
func (g Grants) Allow(v Verb, name string) bool {
	named := false
	for _, grant := range g {
		if !slices.Contains(grant.Verbs, v) {
			continue
		}
		named = true
		if grant.matches(name) {
			return true
		}
	}
	return v == VerbBackend && !named
}

func (g Grant) matches(name string) bool {
	if prefix, ok := strings.CutSuffix(g.Pattern, "*"); ok {
		return len(name) > len(prefix) && strings.HasPrefix(name, prefix)
	}
	return name != "" && name == g.Pattern
}

// Validate returns ErrInvalid for a pattern that has white space, control
// characters, or a "*" elsewhere than at its end, for a grant without a verb,
// and for a verb that does not exist.
func (g Grants) Validate() error {
	for _, grant := range g {
		switch {
		case strings.Contains(strings.TrimSuffix(grant.Pattern, "*"), "*"):
			return invalid("grant %q: \"*\" may stand at the end only", grant.Pattern)
		case strings.ContainsFunc(grant.Pattern, func(r rune) bool { return isBlank(r) || isHidden(r) }):
			return invalid("grant %q: white space, control characters and broken UTF-8 are not allowed", grant.Pattern)
		case len(grant.Verbs) == 0:
			return invalid("grant %q has no verb", grant.Pattern)
		}
		for _, v := range grant.Verbs {
			if !slices.Contains(verbs, v) {
				return invalid("grant %q: there is no verb %q", grant.Pattern, v)
			}
		}
	}
	return nil
}

// MarshalText returns the grants as one line, "join,post:room.42.* backend:",
// as they travel in an authorizer's context. ErrInvalid is returned for grants
// that do not validate.
func (g Grants) MarshalText() ([]byte, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	var b []byte
	for i, grant := range g {
		if i > 0 {
			b = append(b, ' ')
		}
		for j, v := range grant.Verbs {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, v...)
		}
		b = append(b, ':')
		b = append(b, grant.Pattern...)
	}
	return b, nil
}

// UnmarshalText reads what MarshalText returns. ErrInvalid is returned for
// anything else: grants are never read leniently.
func (g *Grants) UnmarshalText(text []byte) error {
	var out Grants
	if len(text) > 0 {
		for part := range strings.SplitSeq(string(text), " ") {
			names, pattern, ok := strings.Cut(part, ":")
			if !ok {
				return invalid("grants: %q has no \":\"", part)
			}
			grant := Grant{Pattern: pattern}
			for v := range strings.SplitSeq(names, ",") {
				grant.Verbs = append(grant.Verbs, Verb(v))
			}
			out = append(out, grant)
		}
	}
	if err := out.Validate(); err != nil {
		return err
	}
	*g = out
	return nil
}
