package authorizer

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/sumu-live/sumu/internal/logging"
)

// JWKSOptions tune a source made by [JWKS] or [Discover]. The fields hold their
// defaults when its funcs get them.
type JWKSOptions struct {
	// HTTPClient fetches the keys. Default: one with the settings of
	// [http.DefaultTransport] that keeps no connection open in between. Its
	// CheckRedirect is replaced: at most 3 redirects are followed, none to
	// another scheme or host.
	HTTPClient *http.Client
	// InsecureHTTP allows an http URL whose host is not a loopback address.
	// Whoever is on the way can then replace the keys.
	InsecureHTTP bool

	// DefaultAge is how long a fetched set is used when the answer has no
	// max-age in its Cache-Control. Default 1 h; bounded by MinAge and MaxAge.
	DefaultAge time.Duration
	// MinAge and MaxAge bound the age that the answer asks for. Default 1 min
	// and 24 h; 1 s to 1 year.
	MinAge, MaxAge time.Duration
	// RefetchInterval is the least time between two fetches that an unknown
	// key id or a failed fetch causes: however many tokens name unknown keys,
	// the issuer sees one request in this time. As long as there is no key at all
	// a failed fetch is repeated after at most 1 s. Default 10 s; 1 s to 10 min.
	RefetchInterval time.Duration
	// Timeout bounds a fetch. Default 5 s; 1 ms to 1 min.
	Timeout time.Duration
	// MaxSize is the largest answer in bytes. Default 1 MiB; 1 to 16 MiB.
	MaxSize int64

	// Logger is told of a fetch that failed, at level Warn: while the keys of the
	// last one stay in use nothing else shows it. Default: [slog.Default], warnings
	// and errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// JWKS returns a source that fetches its keys from a URL, which must be https,
// or http to a loopback address. The content tells what it serves: a key set
// (RFC 7517), or a JSON object of key ids and certificates in PEM, as Firebase
// has it. ErrInvalid is returned with everything that is wrong with the URL and
// the options. Nothing is fetched before the first token.
//
// A set is used for as long as the Cache-Control of the answer says, within
// bounds, and then fetched again by the next caller; a token that names an
// unknown key causes one fetch ahead of time. At most one fetch is under way;
// all callers share it, and it goes on when the caller that began it gives up,
// for Timeout at most. When a fetch fails the keys of the last one stay in use;
// ErrUnavailable is returned when they do not hold the key that is asked for.
//
// Of a set at most 1,000 keys are used; a map of certificates may not have
// more. A certificate's key ends with it. A key that is broken, private,
// symmetric, of an unknown type or not for signatures is left out, and costs no
// other key. A set without a usable key counts as a failed fetch.
func JWKS(rawURL string, optFns ...func(*JWKSOptions)) (KeySource, error) {
	var opts JWKSOptions
	for _, fn := range optFns {
		fn(&opts)
	}
	src, err := newJWKS(rawURL, opts)
	if err != nil {
		return nil, err
	}
	return src, nil
}

func newJWKS(rawURL string, opts JWKSOptions) (*jwksCache, error) {
	opts.complete()
	errs := opts.validate()
	u, err := keyURL(rawURL, opts.InsecureHTTP)
	if err != nil {
		errs = append(errs, invalid("key set URL: %w", err))
	}
	if err := joined(errs); err != nil {
		return nil, err
	}
	f := newFetcher(opts)
	fetch := func(ctx context.Context) (*keySet, time.Duration, error) { return f.keys(ctx, u) }
	return &jwksCache{fetch: f.bounded(fetch), opts: opts}, nil
}

// complete gives zero fields their default.
func (o *JWKSOptions) complete() {
	o.DefaultAge = cmp.Or(o.DefaultAge, time.Hour)
	o.MinAge = cmp.Or(o.MinAge, time.Minute)
	o.MaxAge = cmp.Or(o.MaxAge, 24*time.Hour)
	o.RefetchInterval = cmp.Or(o.RefetchInterval, 10*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.MaxSize = cmp.Or(o.MaxSize, 1<<20)
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
}

func (o *JWKSOptions) validate() []error {
	var errs []error
	within := func(name string, d, low, high time.Duration) {
		if d < low || d > high {
			errs = append(errs, invalid("%s is %v; it must be %v to %v", name, d, low, high))
		}
	}
	const year = 365 * 24 * time.Hour
	within("MinAge", o.MinAge, time.Second, year)
	within("MaxAge", o.MaxAge, max(o.MinAge, time.Second), year)
	within("DefaultAge", o.DefaultAge, time.Second, year)
	within("RefetchInterval", o.RefetchInterval, time.Second, 10*time.Minute)
	within("Timeout", o.Timeout, time.Millisecond, time.Minute)
	if o.MaxSize < 1 || o.MaxSize > 16<<20 {
		errs = append(errs, invalid("MaxSize is %d; it must be 1 to %d", o.MaxSize, 16<<20))
	}
	return errs
}

// keyURL refuses a URL over which keys could be replaced on their way. Its
// errors do not show the URL: it may hold a secret.
func keyURL(raw string, insecureHTTP bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("cannot be parsed")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("scheme is neither https nor http")
	case u.Hostname() == "":
		return nil, errors.New("host is missing")
	case u.User != nil:
		return nil, errors.New("user and password are not allowed")
	case u.Scheme == "http" && !insecureHTTP && !loopback(u.Hostname()):
		return nil, errors.New("http is for loopback addresses; use https, or set InsecureHTTP")
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
