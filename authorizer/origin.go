package authorizer

import (
	"errors"
	"net/url"
	"strings"

	"github.com/sumu-live/sumu"
)

// originPolicy is [Options.Origins]. A nil one allows everything.
type originPolicy struct {
	exact map[string]bool
	below []wildcardOrigin
}

// wildcardOrigin is "https://*.example.com:8443", cut at the "*".
type wildcardOrigin struct{ prefix, suffix string }

func newOriginPolicy(origins []string) (*originPolicy, []error) {
	if len(origins) == 0 {
		return nil, nil
	}
	var errs []error
	p := &originPolicy{exact: make(map[string]bool, len(origins))}
	for i, origin := range origins {
		origin = strings.ToLower(origin)
		prefix, suffix, wildcard := strings.Cut(origin, "://*.")
		checked := origin
		if wildcard {
			checked = prefix + "://" + suffix
		}
		if err := checkOrigin(checked, wildcard); err != nil {
			errs = append(errs, invalid("Origins[%d]: %w", i, err))
			continue
		}
		if wildcard {
			p.below = append(p.below, wildcardOrigin{prefix + "://", "." + suffix})
		} else {
			p.exact[origin] = true
		}
	}
	return p, errs
}

// checkOrigin returns why no browser would send an origin.
func checkOrigin(origin string, wildcard bool) error {
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return errors.New("not an origin; one looks like https://app.example.com")
	case origin != u.Scheme+"://"+u.Host:
		return errors.New("an origin ends with its host or port, without a slash")
	case strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r > 0x7e || strings.ContainsRune("*%, ", r) }):
		return errors.New("browsers send the host in ASCII, and \"*.\" may stand at its beginning only")
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80", strings.HasSuffix(u.Host, ":"):
		return errors.New("browsers leave out the port that is the scheme's own")
	case wildcard && (!strings.Contains(u.Hostname(), ".") || strings.HasPrefix(u.Hostname(), ".")):
		return errors.New("a whole top-level domain is not one site")
	}
	return nil
}

// check returns ErrOrigin for an origin that is not allowed. browser: the
// request has one that is.
func (p *originPolicy) check(r *sumu.ConnectRequest) (browser bool, err error) {
	values := r.HeaderValues("Origin")
	switch {
	case p == nil || len(values) == 0:
		return false, nil
	case len(values) > 1 || !p.allows(values[0]): // No browser sends two.
		return false, ErrOrigin
	}
	return true, nil
}

func (p *originPolicy) allows(origin string) bool {
	origin = strings.ToLower(origin)
	if p.exact[origin] {
		return true
	}
	for _, w := range p.below {
		rest, ok := strings.CutPrefix(origin, w.prefix)
		if !ok {
			continue
		}
		// Only what is a name counts: "evil.example/.example.com" ends alike.
		if labels, ok := strings.CutSuffix(rest, w.suffix); ok && isName(labels) {
			return true
		}
	}
	return false
}

// isName reports whether s is labels of a host name with dots between them.
func isName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
