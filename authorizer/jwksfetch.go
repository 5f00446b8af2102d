package authorizer

import (
	"bytes"
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

// maxHeader is how many bytes the header of an answer may have.
const maxHeader = 64 * 1024

// fetcher fetches documents of an issuer.
type fetcher struct {
	client *http.Client
	opts   JWKSOptions
}

func newFetcher(opts JWKSOptions) *fetcher {
	client := &http.Client{}
	if t := quietTransport(); t != nil {
		client.Transport = t
	}
	if opts.HTTPClient != nil {
		copied := *opts.HTTPClient
		client = &copied
	}
	return (&fetcher{opts: opts}).with(client)
}

// with returns a fetcher that uses a client, whose CheckRedirect it sets.
func (f *fetcher) with(client *http.Client) *fetcher {
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		switch first := via[0].URL; {
		case len(via) > maxRedirects:
			return errors.New("too many redirects")
		case r.URL.Scheme != first.Scheme || r.URL.Host != first.Host:
			return errors.New("redirect to another host or scheme")
		}
		return nil
	}
	return &fetcher{client: client, opts: f.opts}
}

// quietTransport keeps no connection, and so no goroutine, between two fetches
// that are minutes or hours apart. It is nil when somebody replaced the default
// one: http.Client then uses theirs.
func quietTransport() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil
	}
	t = t.Clone()
	t.DisableKeepAlives = true
	t.MaxResponseHeaderBytes = maxHeader
	return t
}

// fetchFunc returns the keys of an issuer and how long they may be used.
type fetchFunc func(ctx context.Context) (*keySet, time.Duration, error)

// bounded gives a fetch its time-out.
func (f *fetcher) bounded(fetch fetchFunc) fetchFunc {
	return func(ctx context.Context) (*keySet, time.Duration, error) {
		ctx, cancel := context.WithTimeout(ctx, f.opts.Timeout)
		defer cancel()
		return fetch(ctx)
	}
}

// keys fetches a key set or a map of certificates.
func (f *fetcher) keys(ctx context.Context, u *url.URL) (*keySet, time.Duration, error) {
	body, age, err := f.get(ctx, u)
	var keys []Key
	if err == nil {
		keys, err = parseKeySet(body)
	}
	if err != nil {
		return nil, 0, &sumu.Error{Op: "fetch keys from " + u.Host, Kind: sumu.ErrUnavailable, Err: err}
	}
	return newKeySet(keys), age, nil
}

// get fetches a document and returns how long it may be used.
func (f *fetcher) get(ctx context.Context, u *url.URL) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
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
	return bytes.TrimPrefix(body, byteOrderMark), f.age(resp.Header), nil
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
