package authorizer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	maxSkew     = 5 * time.Minute
	maxMaxToken = 1 << 20

	// MaxClaims is how many bytes the names and values of the claims that are
	// passed on and the text of the grants may have together: what API Gateway
	// repeats on every event (8 KB, read 2026-11).
	MaxClaims = 8 * 1024
)

// Options tune an [Authorizer]. Issuer and Audiences must be given; of every
// other field the zero value is the default.
type Options struct {
	// Issuer is what a token's iss must equal, byte for byte. Default: that of a
	// source made by [Discover]; of any other source it is required, unless
	// Issuers is given or InsecureAnyIssuer is set.
	Issuer string
	// Issuers are further values that iss may have, for a provider that has
	// several names or tenants. All of them are trusted with the same keys.
	Issuers []string
	// InsecureAnyIssuer accepts any iss, or none. Keys that another tenant of
	// the same provider shares then let that tenant's users in.
	InsecureAnyIssuer bool

	// Audiences are those that this service answers to: a token's aud (a string
	// or a list) must name at least one. Required, unless InsecureAnyAudience
	// is set.
	Audiences []string
	// AudienceClaims are the claims (a string or a list) that may name the
	// audience; one of them is enough. Some providers put the client that a
	// token was issued to into azp or client_id instead. Default "aud" alone.
	AudienceClaims []string
	// InsecureAnyAudience accepts any aud, or none. A token that your issuer
	// made for another service then opens a connection here.
	InsecureAnyAudience bool

	// InsecureNoExpiry accepts a token without exp, whose connection then lasts
	// as long as the transport lets it. An exp that is there still counts.
	InsecureNoExpiry bool

	// Require holds claims that a token must have, each with the values that it
	// may have, such as {"token_use": {"access"}}. A string is compared as it
	// is, a number or a boolean as its JSON text; a list or an object has none
	// of the values.
	Require map[string][]string

	// Algorithms are the algorithms that a token may have, such as "RS256".
	// "Ed25519" (RFC 9864) and "EdDSA" are one; keys on Ed448 are not supported.
	// Default: every one that fits a key of the source. Name them where the
	// issuer's keys do not (have no alg).
	Algorithms []string

	// Skew is how far the clocks of the issuer and of this machine may differ
	// when exp, nbf and iat are checked; [sumu.Identity.ExpiresAt] is that much
	// after exp. Default 30 s; at most 5 min; negative: none.
	Skew time.Duration

	// UserIDClaim names the claim that holds the user id. Default "sub".
	UserIDClaim string
	// Claims names the claims to pass on in [sumu.Identity.Claims]. A string is
	// passed on as it is, a number or a boolean as its JSON text. One that is
	// missing, null, a list or an object is left out. Names and values may,
	// with the grants, have [MaxClaims] bytes together; a token that exceeds
	// this is refused.
	Claims []string
	// Grants is what a user may do, as templates for [sumu.Identity.Grants]: in
	// a pattern {claims.NAME} stands for the claim NAME, as in
	// "room.{claims.org}.*", and {user} for the user id. A claim that is
	// missing, empty, not a string, or holds one of . * { } : , " # or white
	// space, a control character or broken text voids the grant that uses it,
	// and so does such a user id: its value could name more than it should. Of
	// VerbBackend a void grant allows nothing, rather than everything. The text
	// of the grants and the Claims may have [MaxClaims] bytes together; a token
	// that exceeds this is refused, and nothing is cut off. Default: none,
	// which allows VerbBackend only. For a demo, {Pattern: "*"} with every verb
	// allows all.
	Grants sumu.Grants

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

	// dates are the claims that must be dates in the past, where a token has
	// them.
	dates []string
}

// complete gives zero fields their default.
func (o *Options) complete(keys KeySource) {
	if c, ok := keys.(*jwksCache); ok && len(o.Issuers) == 0 && !o.InsecureAnyIssuer {
		o.Issuer = cmp.Or(o.Issuer, c.issuer)
	}
	if o.AudienceClaims == nil {
		o.AudienceClaims = []string{"aud"}
	}
	o.dates = append(o.dates, "nbf", "iat")
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
	case len(o.issuers()) == 0 && !o.InsecureAnyIssuer:
		bad("Issuer is empty; give the iss of your tokens, or set InsecureAnyIssuer")
	case len(o.issuers()) > 0 && o.InsecureAnyIssuer:
		bad("Issuer and InsecureAnyIssuer are both set")
	}
	if slices.Contains(o.Issuers, "") {
		bad("Issuers has an empty name")
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
	if len(o.AudienceClaims) == 0 || slices.Contains(o.AudienceClaims, "") {
		bad("AudienceClaims is empty, or has an empty name")
	}
	for name, values := range o.Require {
		if name == "" || len(values) == 0 {
			bad("Require[%q] has no name, or no value; no token would have it", name)
		}
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
		} else if s.cookie {
			if (&http.Cookie{Name: s.name}).Valid() != nil {
				bad("Sources[%d]: no cookie can have this name", i)
			}
		}
	}
	if o.MaxToken < 1 || o.MaxToken > maxMaxToken {
		bad("MaxToken is %d; it must be 1 to %d", o.MaxToken, maxMaxToken)
	}
	return errs
}

// issuers are the values that iss may have.
func (o *Options) issuers() []string {
	if o.Issuer == "" {
		return slices.Clone(o.Issuers)
	}
	return append([]string{o.Issuer}, o.Issuers...)
}

// own copies what the caller could still change.
func (o *Options) own() {
	o.Audiences = slices.Clone(o.Audiences)
	o.AudienceClaims = slices.Clone(o.AudienceClaims)
	o.Require = maps.Clone(o.Require)
	for name, values := range o.Require {
		o.Require[name] = slices.Clone(values)
	}
	o.Claims = slices.Compact(slices.Sorted(slices.Values(o.Claims)))
	o.Sources = slices.Clone(o.Sources)
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "authorizer", Kind: sumu.ErrInvalid, Err: fmt.Errorf(format, args...)}
}

func joined(errs []error) error { return errors.Join(errs...) }
