package authorizer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	discoveryPath = "/.well-known/openid-configuration"

	maxDiscoveryMembers = 512
)

// Discover returns a source for the keys of an OpenID provider: it reads the
// provider's configuration (OpenID Connect Discovery 1.0, 4) and takes the keys
// from its jwks_uri. issuer is the iss of the provider's tokens, byte for byte,
// and an https URL, or http to a loopback address; [New] takes it as
// [Options.Issuer] when that is empty. ErrInvalid is returned with everything
// that is wrong with the issuer and the options. Nothing is fetched before the
// first token.
//
// The configuration counts only when its issuer is the one given. Its jwks_uri
// must be https where the issuer is. It may be on another host, as Google's is,
// but not on one that is, or whose name resolves to, an address which is not
// public: a configuration must not aim requests at what only this machine can
// reach. (A client of your own, or a proxy, resolves names itself, and is
// trusted to.) Where the keys are on such a host by intent, name their URL to
// [JWKS].
//
// Configuration and keys are each cached as [JWKS] caches keys, with the same
// options; Timeout bounds a fetch of both. The configuration is read again
// ahead of time when no keys come from where it says, and when it cannot be had
// again the last one stays in use.
func Discover(issuer string, optFns ...func(*JWKSOptions)) (KeySource, error) {
	var opts JWKSOptions
	for _, fn := range optFns {
		fn(&opts)
	}
	opts.complete()
	errs := opts.validate()
	u, err := keyURL(issuer, opts.InsecureHTTP)
	if err == nil && strings.ContainsAny(issuer, "?#") {
		err = errors.New("query and fragment are not allowed")
	}
	if err != nil {
		errs = append(errs, invalid("issuer: %w", err))
	}
	if err := joined(errs); err != nil {
		return nil, err
	}
	at, err := url.Parse(strings.TrimSuffix(issuer, "/") + discoveryPath)
	if err != nil {
		return nil, invalid("issuer: cannot be parsed") // The cause would show it.
	}
	d := &discovery{fetcher: newFetcher(opts), issuer: issuer, base: u, url: at}
	return &jwksCache{fetch: d.fetcher.bounded(d.fetch), opts: opts, issuer: issuer}, nil
}

// discovery finds the keys of an issuer by its configuration. It needs no
// lock: a jwksCache has one fetch under way.
type discovery struct {
	fetcher *fetcher
	issuer  string
	base    *url.URL // the issuer
	url     *url.URL // of the configuration

	keys  *url.URL  // its jwks_uri; nil: not known
	until time.Time // the configuration is used without asking until then
}

func (d *discovery) fetch(ctx context.Context) (*keySet, time.Duration, error) {
	if now := d.now(); d.keys == nil || !now.Before(d.until) {
		keys, age, err := d.configuration(ctx)
		switch {
		case err == nil:
			d.keys, d.until = keys, d.now().Add(age)
		case d.keys == nil:
			return nil, 0, &sumu.Error{Op: "read configuration of " + d.base.Host, Kind: sumu.ErrUnavailable, Err: err}
		}
		// Else the last one may still do.
	}
	set, age, err := d.keyFetcher().keys(ctx, d.keys)
	if err != nil {
		d.until = time.Time{} // The keys may have moved.
	}
	return set, age, err
}

func (d *discovery) now() time.Time { return d.fetcher.opts.Now().Round(0) }

// configuration returns where the keys are, and for how long.
func (d *discovery) configuration(ctx context.Context) (*url.URL, time.Duration, error) {
	body, age, err := d.fetcher.get(ctx, d.url)
	if err != nil {
		return nil, 0, err
	}
	members, ok := parseObject(body, maxDiscoveryMembers)
	if !ok {
		return nil, 0, errors.New("not a JSON object, or one with a duplicate member")
	}
	// Otherwise one issuer could name the keys of another.
	switch issuer, ok := unquote(members.get("issuer")); {
	case !ok:
		return nil, 0, errors.New("configuration has no issuer")
	case issuer != d.issuer:
		return nil, 0, otherIssuer(issuer, d.issuer)
	}
	raw, ok := unquote(members.get("jwks_uri"))
	if !ok {
		return nil, 0, errors.New("configuration has no jwks_uri")
	}
	keys, err := keyURL(raw, d.fetcher.opts.InsecureHTTP)
	switch {
	case err != nil:
	case keys.Scheme != d.base.Scheme && keys.Scheme != "https":
		err = errors.New("not https, although the issuer is")
	case d.foreign(keys) && !publicHost(keys.Hostname()):
		err = errors.New("on an address that is not public")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("jwks_uri: %w", err)
	}
	return keys, age, nil
}

// foreign reports whether the keys are on a host that the configuration chose,
// and not whoever called Discover. Addresses of this machine are one host.
func (d *discovery) foreign(keys *url.URL) bool {
	home, host := d.base.Hostname(), keys.Hostname()
	return !strings.EqualFold(home, host) && !(loopback(home) && loopback(host))
}

// keyFetcher dials public addresses only, where the keys are on a host that
// nobody here has named.
func (d *discovery) keyFetcher() *fetcher {
	if d.fetcher.opts.HTTPClient != nil || !d.foreign(d.keys) {
		return d.fetcher
	}
	t := quietTransport()
	if t == nil {
		return d.fetcher
	}
	if t.Proxy != nil {
		// A proxy may well be on a private address.
		if proxy, err := t.Proxy(&http.Request{URL: d.keys}); err != nil || proxy != nil {
			return d.fetcher
		}
	}
	t.DialContext = publicDialer().DialContext
	return d.fetcher.with(&http.Client{Transport: t})
}
