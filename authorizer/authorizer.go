package authorizer

import (
	"context"
	"slices"

	"github.com/sumu-live/sumu"
)

// Authorizer verifies tokens. It is safe for concurrent use and starts no
// goroutine of its own.
type Authorizer struct {
	keys KeySource
	algs map[string]algorithm
	opts Options

	issuers []string // that iss may be; empty: any
	grants  []grantTemplate
}

var (
	_ sumu.Authorizer    = (*Authorizer)(nil)
	_ sumu.AmbientReader = (*Authorizer)(nil)
)

// New returns an authorizer that trusts the keys of a source. ErrInvalid is
// returned with every option that cannot be; Issuer and Audiences must be
// given.
func New(keys KeySource, optFns ...func(*Options)) (*Authorizer, error) {
	var opts Options
	for _, fn := range optFns {
		fn(&opts)
	}
	return newAuthorizer(keys, opts)
}

func newAuthorizer(keys KeySource, opts Options) (*Authorizer, error) {
	opts.complete(keys)
	errs := opts.validate()
	if keys == nil {
		errs = append(errs, invalid("an Authorizer needs a KeySource"))
	}
	opts.own()
	a := &Authorizer{keys: keys, opts: opts, issuers: opts.issuers()}
	var more []error
	a.algs, more = newAlgorithms(keys, opts.Algorithms)
	errs = append(errs, more...)
	a.grants, more = compileGrants(opts.Grants)
	if err := joined(append(errs, more...)); err != nil {
		return nil, err
	}
	return a, nil
}

// Authorize verifies the token of a connect request: the one of the first of
// [Options.Sources] that has one. ErrUnauthorized is returned for a token that
// is missing or does not verify, ErrForbidden for one that verifies but is for
// another audience, ErrUnavailable when the keys cannot be had.
func (a *Authorizer) Authorize(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	token, _ := a.find(r)
	return a.Verify(ctx, token)
}

// AmbientCredentials implements [sumu.AmbientReader]: the token that decides is
// in a cookie, or in a header of a request that has cookies or the like, from
// which a proxy may have made it. With r nil, whether a cookie is among
// [Options.Sources].
func (a *Authorizer) AmbientCredentials(r *sumu.ConnectRequest) bool {
	if r == nil {
		return slices.ContainsFunc(a.opts.Sources, func(s TokenSource) bool { return s.cookie })
	}
	_, from := a.find(r)
	return from.ambient(r)
}

// find returns the token of the first source that has one, and that source.
func (a *Authorizer) find(r *sumu.ConnectRequest) (token string, from TokenSource) {
	for _, source := range a.opts.Sources {
		if token := source.read(r, source.name); token != "" {
			return token, source
		}
	}
	return "", TokenSource{}
}

// Verify verifies a token and returns who it speaks for. Its errors are those
// of [Authorizer.Authorize].
func (a *Authorizer) Verify(ctx context.Context, token string) (sumu.Identity, error) {
	switch {
	case token == "":
		return sumu.Identity{}, refuse(ErrNoToken)
	case len(token) > a.opts.MaxToken:
		return sumu.Identity{}, refuse(ErrTokenTooLong)
	}
	c, err := parseCompact(token)
	if err != nil {
		return sumu.Identity{}, refuse(err)
	}
	alg, ok := a.algs[c.alg]
	if !ok {
		return sumu.Identity{}, refuse(ErrAlgorithm)
	}
	keys, err := a.keys.Keys(ctx, c.kid)
	if err != nil {
		return sumu.Identity{}, &sumu.Error{Op: opVerify, Kind: sumu.ErrUnavailable, Err: err}
	}
	if err := a.checkSignature(c, alg, keys); err != nil {
		return sumu.Identity{}, refuse(err)
	}
	id, err := a.identity(c.payload)
	if err != nil {
		return sumu.Identity{}, refuse(err)
	}
	return id, nil
}

// checkSignature tries the keys that fit the token. Several keys are tried only
// where they share the key id that the token names; a token whose key id names
// no key must fit exactly one, or an attacker's choice of it would widen what
// is trusted.
func (a *Authorizer) checkSignature(c compact, alg algorithm, keys []Key) error {
	now := a.opts.Now()
	var named, unnamed []Key
	for _, k := range keys {
		switch {
		case k.Algorithm != "" && canonical(k.Algorithm) != c.alg, !alg.fits(k):
		case !k.NotAfter.IsZero() && now.After(k.NotAfter):
		case c.kid != "" && k.ID == c.kid:
			named = append(named, k)
		case c.kid == "" || k.ID == "":
			unnamed = append(unnamed, k)
		}
	}
	if len(named) == 0 {
		if len(unnamed) != 1 {
			return ErrUnknownKey
		}
		named = unnamed
	}
	for _, k := range named[:min(len(named), maxTried)] {
		if alg.verify(k, c.signed, c.sig) {
			return nil
		}
	}
	return ErrSignature
}
