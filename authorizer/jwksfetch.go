package authorizer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

const maxRedirects = 3

// fetcher fetches a key set.
type fetcher struct {
	client *http.Client
	url    *url.URL
	opts   JWKSOptions
}

func newFetcher(u *url.URL, opts JWKSOptions) *fetcher {
	client := http.Client{Transport: quietTransport()}
	if opts.HTTPClient != nil {
		client = *opts.HTTPClient
	}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return errors.New("too many redirects")
		case r.URL.Scheme != u.Scheme || r.URL.Host != u.Host:
			return errors.New("redirect to another host or scheme")
		}
		return nil
	}
	return &fetcher{client: &client, url: u, opts: opts}
}

// quietTransport keeps no connection, and so no goroutine, between two fetches
// that are minutes or hours apart.
func quietTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil // Somebody replaced it: http.Client uses theirs.
	}
	t = t.Clone()
	t.DisableKeepAlives = true
	return t
}

// fetch returns the keys and how long they may be used.
func (f *fetcher) fetch(ctx context.Context) (*keySet, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	set, age, err := f.get(ctx)
	if err != nil {
		return nil, 0, &sumu.Error{Op: "fetch keys from " + f.url.Host, Kind: sumu.ErrUnavailable, Err: err}
	}
	return set, age, nil
}

func (f *fetcher) get(ctx context.Context) (*keySet, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url.String(), http.NoBody)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, f.opts.MaxSize+1))
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	if int64(len(body)) > f.opts.MaxSize {
		return nil, 0, fmt.Errorf("answered with more than %d bytes", f.opts.MaxSize)
	}
	keys, skipped, err := parseJWKS(body)
	switch {
	case err != nil:
		return nil, 0, err
	case len(keys) == 0 && skipped != nil:
		return nil, 0, fmt.Errorf("no usable key: %w", skipped)
	case len(keys) == 0:
		return nil, 0, errors.New("no key")
	}
	return newKeySet(keys), f.age(resp.Header), nil
}

// age is how long the answer may be used.
func (f *fetcher) age(h http.Header) time.Duration {
	age := f.opts.DefaultAge
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return f.opts.MinAge
			case "max-age":
				if s, ok := deltaSeconds(strings.Trim(value, `"`)); ok {
					age = s
				}
			}
		}
	}
	// What a cache on the way has used up already.
	if s, ok := deltaSeconds(h.Get("Age")); ok {
		age -= s
	}
	return min(max(age, f.opts.MinAge), f.opts.MaxAge)
}

// deltaSeconds reads the seconds of RFC 9111, 1.2.2; too many count as a
// century.
func deltaSeconds(s string) (time.Duration, bool) {
	const century = 100 * 365 * 24 * time.Hour
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return time.Duration(min(n, uint64(century/time.Second))) * time.Second, true
}

// withoutURL drops the URL that net/http puts into its errors: it may hold a
// secret, and a redirect's was chosen by somebody else.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
