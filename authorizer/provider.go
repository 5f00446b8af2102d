package authorizer

import (
	"fmt"
	"maps"
	"strings"
)

// ProviderOptions tune an [Authorizer] for a known provider. When the funcs
// get them they hold what the provider's tokens need; a func may add to it,
// such as a further audience, or replace it.
type ProviderOptions struct {
	Options
	// Keys tune how the provider's keys are fetched. Its Now is, when nil, that
	// of Options.
	Keys JWKSOptions
	// TokenUse is which of the tokens of Cognito to accept: "id", "access", or
	// "" for both. ErrInvalid is returned when it is set for another provider.
	TokenUse string
}

// preset is what makes the authorizer of a provider.
type preset struct {
	keyURL string
	opts   ProviderOptions
	errs   []error // of the parameters
	// finish completes the options once the funcs had them; may be nil.
	finish      func(*ProviderOptions) error
	hasTokenUse bool
}

// require adds to Require, unless it has the claim: to require one's own claims
// must not take away the provider's.
func (o *ProviderOptions) require(name string, values ...string) {
	if o.Require[name] != nil {
		return
	}
	all := maps.Clone(o.Require) // The map is the caller's.
	if all == nil {
		all = make(map[string][]string, 1)
	}
	all[name] = values
	o.Require = all
}

func (p preset) build(optFns []func(*ProviderOptions)) (*Authorizer, error) {
	opts, errs := p.opts, p.errs
	for _, fn := range optFns {
		fn(&opts)
	}
	if p.finish != nil {
		errs = append(errs, p.finish(&opts))
	}
	if opts.TokenUse != "" && !p.hasTokenUse {
		errs = append(errs, invalid("TokenUse is for Cognito"))
	}
	if opts.Keys.Now == nil {
		opts.Keys.Now = opts.Now
	}
	var keys KeySource = KeySourceFunc(nil) // For the other errors alone.
	if src, err := newJWKS(p.keyURL, opts.Keys); err != nil {
		errs = append(errs, err)
	} else {
		keys = src
	}
	a, err := newAuthorizer(keys, opts.Options)
	if err := joined(append(errs, err)); err != nil {
		return nil, err
	}
	return a, nil
}

// part checks a parameter that becomes part of a URL.
func (p *preset) part(what, value string) {
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/?#%@\`, r) }
	if value == "" || strings.ContainsFunc(value, bad) {
		p.errs = append(p.errs, invalid("%s is %q; it must not be empty, and hold none of / ? # %% @ \\ and white space", what, value))
	}
}

func (p *preset) check(ok bool, format string, args ...any) {
	if !ok {
		p.errs = append(p.errs, invalid("%w", fmt.Errorf(format, args...)))
	}
}
