package authorizer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	maxSkew     = 5 * time.Minute
	maxMaxToken = 1 << 20

	// MaxClaims is how many bytes the names and values of the claims that are
	// passed on may have together: what API Gateway repeats on every event
	// (8 KB, read 2026-11).
	MaxClaims = 8 * 1024
)

// Options tune an [Authorizer]. Issuer and Audiences must be given; the other
// fields hold their defaults when the funcs of [New] get them.
type Options struct {
	// Issuer is what a token's iss must equal, byte for byte. Required, unless
	// InsecureAnyIssuer is set.
	Issuer string
	// InsecureAnyIssuer accepts any iss, or none. Keys that another tenant of
	// the same provider shares then let that tenant's users in.
	InsecureAnyIssuer bool

	// Audiences are those that this service answers to: a token's aud (a string
	// or a list) must name at least one. Required, unless InsecureAnyAudience
	// is set.
	Audiences []string
	// InsecureAnyAudience accepts any aud, or none. A token that your issuer
	// made for another service then opens a connection here.
	InsecureAnyAudience bool

	// InsecureNoExpiry accepts a token without exp, whose connection then lasts
	// as long as the transport lets it. An exp that is there still counts.
	InsecureNoExpiry bool

	// Skew is how far the clocks of the issuer and of this machine may differ
	// when exp, nbf and iat are checked; [sumu.Identity.ExpiresAt] is that much
	// after exp. Default 30 s; at most 5 min; negative: none.
	Skew time.Duration

	// UserIDClaim names the claim that holds the user id. Default "sub".
	UserIDClaim string
	// Claims names the claims to pass on in [sumu.Identity.Claims]. A string
	// is passed on as it is, a number or a boolean as its JSON text. One that
	// is missing, null, a list or an object is left out. Names and values may
	// have [MaxClaims] bytes together; a token that exceeds this is refused.
	Claims []string

	// Sources say where a request holds its token, in their order: the first
	// one that has a token decides, and another is not tried when it does not
	// verify. Default: the query parameter "authorization", the header
	// Authorization, then the sub-protocol "bearer.<token>".
	Sources []TokenSource

	// MaxToken is the longest token in bytes; a longer one is refused before
	// anything of it is parsed. Default 16 KiB; 1 to 1 MiB.
	MaxToken int

	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// complete gives zero fields their default.
func (o *Options) complete() {
	o.Skew = max(cmp.Or(o.Skew, 30*time.Second), 0)
	o.UserIDClaim = cmp.Or(o.UserIDClaim, "sub")
	if o.Sources == nil {
		o.Sources = []TokenSource{
			FromQuery("authorization"),
			FromHeader("Authorization"),
			FromSubprotocol("bearer."),
		}
	}
	o.MaxToken = cmp.Or(o.MaxToken, 16*1024)
	if o.Now == nil {
		o.Now = time.Now
	}
}

// validate returns everything that is wrong with the options.
func (o *Options) validate() []error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, invalid(format, args...))
	}
	switch {
	case o.Issuer == "" && !o.InsecureAnyIssuer:
		bad("Issuer is empty; give the iss of your tokens, or set InsecureAnyIssuer")
	case o.Issuer != "" && o.InsecureAnyIssuer:
		bad("Issuer and InsecureAnyIssuer are both set")
	}
	switch {
	case len(o.Audiences) == 0 && !o.InsecureAnyAudience:
		bad("Audiences is empty; give the aud of your tokens, or set InsecureAnyAudience")
	case len(o.Audiences) > 0 && o.InsecureAnyAudience:
		bad("Audiences and InsecureAnyAudience are both set")
	}
	if slices.Contains(o.Audiences, "") {
		bad("Audiences has an empty name")
	}
	if o.Skew > maxSkew {
		bad("Skew is %v; it must be at most %v", o.Skew, maxSkew)
	}
	if slices.Contains(o.Claims, "") {
		bad("Claims has an empty name")
	}
	if len(o.Sources) == 0 {
		bad("Sources is empty; no request would ever have a token")
	}
	for i, s := range o.Sources {
		if s.read == nil {
			bad("Sources[%d] was not made by a From function", i)
		} else if s.name == "" {
			bad("Sources[%d] has no name", i)
		}
	}
	if o.MaxToken < 1 || o.MaxToken > maxMaxToken {
		bad("MaxToken is %d; it must be 1 to %d", o.MaxToken, maxMaxToken)
	}
	return errs
}

// own copies what the caller could still change.
func (o *Options) own() {
	o.Audiences = slices.Clone(o.Audiences)
	o.Claims = slices.Compact(slices.Sorted(slices.Values(o.Claims)))
	o.Sources = slices.Clone(o.Sources)
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "authorizer", Kind: sumu.ErrInvalid, Err: fmt.Errorf(format, args...)}
}

func joined(errs []error) error { return errors.Join(errs...) }
