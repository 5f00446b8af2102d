package authorizer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/strictjson"
)

// maxSeconds is the end of the year 9999, the last that a date is written with.
const maxSeconds = 253402300799

// identity checks the claims of a payload whose signature has been verified.
// The audience comes last: only who is known otherwise is told "forbidden".
func (a *Authorizer) identity(payload string) (sumu.Identity, error) {
	data, err := strict.DecodeString(payload)
	if err != nil {
		return sumu.Identity{}, ErrMalformed
	}
	claims, ok := parseObject(data, maxPayloadMembers)
	if !ok {
		return sumu.Identity{}, ErrMalformed
	}
	var id sumu.Identity
	if id.IssuedAt, id.ExpiresAt, err = a.checkTimes(claims); err != nil {
		return sumu.Identity{}, err
	}
	if len(a.issuers) > 0 {
		switch iss, ok := unquote(claims.get("iss")); {
		case !ok:
			return sumu.Identity{}, ErrIssuer
		case !slices.Contains(a.issuers, iss):
			return sumu.Identity{}, refusedIssuer(iss, a.issuers)
		}
	}
	if err := a.checkRequired(claims); err != nil {
		return sumu.Identity{}, err
	}
	id.UserID, ok = unquote(claims.get(a.opts.UserIDClaim))
	if !ok || id.Validate() != nil {
		return sumu.Identity{}, ErrUserID
	}
	var size int
	if id.Claims, size, err = a.pass(claims); err != nil {
		return sumu.Identity{}, err
	}
	if id.Grants, err = a.grant(claims, id.UserID, MaxClaims-size); err != nil {
		return sumu.Identity{}, err
	}
	if err := a.checkAudience(claims); err != nil {
		return sumu.Identity{}, err
	}
	return id, nil
}

// checkTimes checks exp, nbf, iat and auth_time. It returns when the token was
// issued and until when it counts; zero: it does not say.
func (a *Authorizer) checkTimes(claims object) (issuedAt, expiresAt time.Time, err error) {
	now := a.opts.Now()
	if raw := claims.get("exp"); raw != nil {
		exp, ok := seconds(raw)
		if !ok {
			return time.Time{}, time.Time{}, fmt.Errorf("%w: exp is not a date", ErrClaims)
		}
		expiresAt = exp.Add(a.opts.Skew)
		if !now.Before(expiresAt) {
			return time.Time{}, time.Time{}, ErrTokenExpired
		}
	} else if !a.opts.InsecureNoExpiry {
		return time.Time{}, time.Time{}, fmt.Errorf("%w: exp is missing", ErrClaims)
	}
	for _, name := range a.opts.dates {
		raw := claims.get(name)
		if raw == nil {
			continue
		}
		from, ok := seconds(raw)
		if !ok {
			return time.Time{}, time.Time{}, fmt.Errorf("%w: %s is not a date", ErrClaims, name)
		}
		if now.Add(a.opts.Skew).Before(from) {
			return time.Time{}, time.Time{}, ErrNotYetValid
		}
		if name == "iat" {
			issuedAt = from
		}
	}
	return issuedAt, expiresAt, nil
}

// checkRequired checks that every claim of [Options.Require] has one of its
// values.
func (a *Authorizer) checkRequired(claims object) error {
	for name, values := range a.opts.Require {
		if value, ok, err := scalar(claims.get(name)); err != nil || !ok || !slices.Contains(values, value) {
			return fmt.Errorf("%w: %s has no value that is allowed", ErrClaims, name)
		}
	}
	return nil
}

// scalar returns a string as it is, a number or a boolean as its JSON text; not
// ok for what is missing or of another kind.
func scalar(raw []byte) (value string, ok bool, err error) {
	if len(raw) == 0 {
		return "", false, nil
	}
	switch raw[0] {
	case '{', '[', 'n':
		return "", false, nil
	case '"':
		if value, ok = unquote(raw); !ok {
			return "", false, fmt.Errorf("%w: one of them is not valid text", ErrClaims)
		}
		return value, true, nil
	}
	return string(raw), true, nil
}

// seconds reads a NumericDate (RFC 7519, 2): seconds since the epoch, which
// may have a fraction.
func seconds(raw []byte) (time.Time, bool) {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(f >= 0 && f <= maxSeconds) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

func (a *Authorizer) checkAudience(claims object) error {
	if a.opts.InsecureAnyAudience {
		return nil
	}
	found := false
	for _, name := range a.opts.AudienceClaims {
		raw := claims.get(name)
		if raw == nil {
			continue
		}
		values, list := strictjson.List(raw)
		if !list {
			values = slices.Values([][]byte{raw})
		}
		for v := range values {
			aud, ok := unquote(v)
			if !ok {
				return fmt.Errorf("%w: %s is neither a string nor a list of strings", ErrClaims, name)
			}
			found = found || slices.Contains(a.opts.Audiences, aud)
		}
	}
	if !found {
		return ErrAudience
	}
	return nil
}

// pass returns the claims that the options name, and how many bytes they have.
func (a *Authorizer) pass(claims object) (passed map[string]string, size int, err error) {
	if len(a.opts.Claims) == 0 {
		return nil, 0, nil
	}
	passed = make(map[string]string, len(a.opts.Claims))
	for _, name := range a.opts.Claims {
		value, ok, err := scalar(claims.get(name))
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			continue
		}
		if size += len(name) + len(value); size > MaxClaims {
			return nil, 0, fmt.Errorf("%w: those to pass on have more than %d bytes", ErrClaims, MaxClaims)
		}
		passed[name] = value
	}
	return passed, size, nil
}
