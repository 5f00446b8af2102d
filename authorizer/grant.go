package authorizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
)

// grantTemplate is a grant whose pattern has placeholders.
type grantTemplate struct {
	verbs []sumu.Verb
	parts []grantPart
}

// grantPart is a text, the user id, or a claim.
type grantPart struct {
	text  string
	user  bool
	claim string
}

// compileGrants reads the templates and returns everything that is wrong with
// them.
func compileGrants(grants sumu.Grants) ([]grantTemplate, []error) {
	var errs []error
	templates := make([]grantTemplate, 0, len(grants))
	for i, g := range grants {
		parts, err := parsePattern(g.Pattern)
		if err == nil {
			// The rules of a grant hold for what a template makes of good values.
			sample := sumu.Grant{Pattern: fill(parts, func(grantPart) string { return "x" }), Verbs: g.Verbs}
			err = sumu.Grants{sample}.Validate()
		}
		if err != nil {
			errs = append(errs, invalid("Grants[%d]: %w", i, err))
		}
		templates = append(templates, grantTemplate{verbs: slices.Clone(g.Verbs), parts: parts})
	}
	return templates, errs
}

// parsePattern takes a pattern apart at its placeholders.
func parsePattern(pattern string) ([]grantPart, error) {
	var parts []grantPart
	for pattern != "" {
		text, rest, found := strings.Cut(pattern, "{")
		if strings.Contains(text, "}") {
			return nil, errors.New("pattern has a \"}\" without its \"{\"")
		}
		if text != "" {
			parts = append(parts, grantPart{text: text})
		}
		if !found {
			break
		}
		name, rest, closed := strings.Cut(rest, "}")
		claim, isClaim := strings.CutPrefix(name, "claims.")
		switch {
		case !closed || strings.Contains(name, "{"):
			return nil, errors.New("pattern has a \"{\" without its \"}\"")
		case name == "user":
			parts = append(parts, grantPart{user: true})
		case isClaim && claim != "":
			parts = append(parts, grantPart{claim: claim})
		default:
			return nil, fmt.Errorf("placeholder {%s} is neither {user} nor {claims.NAME}", name)
		}
		pattern = rest
	}
	return parts, nil
}

// fill joins the parts of a pattern, with a value for each placeholder.
func fill(parts []grantPart, value func(grantPart) string) string {
	var b strings.Builder
	for _, p := range parts {
		if p.user || p.claim != "" {
			b.WriteString(value(p))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// grant compiles the grants of a user, whose text may have room bytes.
func (a *Authorizer) grant(claims object, user string, room int) (sumu.Grants, error) {
	if len(a.grants) == 0 {
		return nil, nil
	}
	grants := make(sumu.Grants, 0, len(a.grants))
	for _, t := range a.grants {
		void := false
		pattern := fill(t.parts, func(p grantPart) string {
			value, ok := user, true
			if !p.user {
				value, ok = unquote(claims.get(p.claim))
			}
			void = void || !ok || !namesOne(value)
			return value
		})
		switch {
		case !void:
			grants = append(grants, sumu.Grant{Pattern: pattern, Verbs: slices.Clone(t.verbs)})
		case slices.Contains(t.verbs, sumu.VerbBackend):
			// Left out it would widen: what no grant names is allowed for this verb.
			grants = append(grants, sumu.Grant{Verbs: []sumu.Verb{sumu.VerbBackend}})
		}
	}
	text, err := grants.MarshalText()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: they make no valid grant", ErrClaims)
	case len(text) > room:
		return nil, fmt.Errorf("%w: with the grants, those to pass on have more than %d bytes", ErrClaims, MaxClaims)
	}
	return grants, nil
}

// namesOne reports whether a value may stand in a pattern: it must not be able
// to end, to widen or to split what the template says.
func namesOne(value string) bool {
	return value != "" && !strings.ContainsFunc(value, func(r rune) bool {
		return strings.ContainsRune(`.*{}:,"#`, r) || unicode.IsSpace(r) || !unicode.IsPrint(r) || r == utf8.RuneError
	})
}
