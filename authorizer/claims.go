package authorizer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
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
	expiresAt, err := a.checkTimes(claims)
	if err != nil {
		return sumu.Identity{}, err
	}
	if !a.opts.InsecureAnyIssuer {
		if iss, ok := unquote(claims.get("iss")); !ok || iss != a.opts.Issuer {
			return sumu.Identity{}, ErrIssuer
		}
	}
	user, ok := unquote(claims.get(a.opts.UserIDClaim))
	if !ok || user == "" || len(user) > sumu.MaxUserID {
		return sumu.Identity{}, ErrUserID
	}
	passed, err := a.pass(claims)
	if err != nil {
		return sumu.Identity{}, err
	}
	if err := a.checkAudience(claims); err != nil {
		return sumu.Identity{}, err
	}
	return sumu.Identity{UserID: user, ExpiresAt: expiresAt, Claims: passed}, nil
}

// checkTimes checks exp, nbf and iat. It returns until when the token counts;
// zero: it has no exp.
func (a *Authorizer) checkTimes(claims object) (time.Time, error) {
	now := a.opts.Now()
	var expiresAt time.Time
	if raw := claims.get("exp"); raw != nil {
		exp, ok := seconds(raw)
		if !ok {
			return time.Time{}, fmt.Errorf("%w: exp is not a date", ErrClaims)
		}
		expiresAt = exp.Add(a.opts.Skew)
		if !now.Before(expiresAt) {
			return time.Time{}, ErrTokenExpired
		}
	} else if !a.opts.InsecureNoExpiry {
		return time.Time{}, fmt.Errorf("%w: exp is missing", ErrClaims)
	}
	for _, name := range [...]string{"nbf", "iat"} {
		raw := claims.get(name)
		if raw == nil {
			continue
		}
		from, ok := seconds(raw)
		if !ok {
			return time.Time{}, fmt.Errorf("%w: %s is not a date", ErrClaims, name)
		}
		if now.Add(a.opts.Skew).Before(from) {
			return time.Time{}, ErrNotYetValid
		}
	}
	return expiresAt, nil
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
	raw := claims.get("aud")
	if raw == nil {
		return ErrAudience
	}
	values, list := parseList(raw)
	if !list {
		values = [][]byte{raw}
	}
	found := false
	for _, v := range values {
		aud, ok := unquote(v)
		if !ok {
			return fmt.Errorf("%w: aud is neither a string nor a list of strings", ErrClaims)
		}
		found = found || slices.Contains(a.opts.Audiences, aud)
	}
	if !found {
		return ErrAudience
	}
	return nil
}

// pass returns the claims that the options name.
func (a *Authorizer) pass(claims object) (map[string]string, error) {
	if len(a.opts.Claims) == 0 {
		return nil, nil
	}
	passed := make(map[string]string, len(a.opts.Claims))
	size := 0
	for _, name := range a.opts.Claims {
		raw := claims.get(name)
		if raw == nil {
			continue
		}
		var value string
		switch raw[0] {
		case '{', '[', 'n':
			continue
		case '"':
			var ok bool
			if value, ok = unquote(raw); !ok {
				return nil, fmt.Errorf("%w: a claim to pass on is not valid text", ErrClaims)
			}
		default:
			value = string(raw)
		}
		if size += len(name) + len(value); size > MaxClaims {
			return nil, fmt.Errorf("%w: those to pass on have more than %d bytes", ErrClaims, MaxClaims)
		}
		passed[name] = value
	}
	return passed, nil
}
