package authorizer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

type change = map[string]any

func TestClaims(t *testing.T) {
	iss := issuers["EdDSA"]()
	now := testNow.Unix()
	type opt = func(*authorizer.Options)
	anyIssuer := func(o *authorizer.Options) { o.Issuer, o.InsecureAnyIssuer = "", true }
	anyAudience := func(o *authorizer.Options) { o.Audiences, o.InsecureAnyAudience = nil, true }
	noExpiry := func(o *authorizer.Options) { o.InsecureNoExpiry = true }
	exact := func(o *authorizer.Options) { o.Skew = -1 }
	email := func(o *authorizer.Options) { o.UserIDClaim = "email" }
	two := func(o *authorizer.Options) { o.Audiences = []string{"other", testAudience} }

	for _, tc := range []struct {
		name    string
		changes change
		want    error
		opts    []opt
	}{
		{"good", nil, nil, nil},

		{"exp missing", change{"exp": nil}, authorizer.ErrClaims, nil},
		{"exp missing, allowed", change{"exp": nil}, nil, []opt{noExpiry}},
		{"expired", change{"exp": now - 31}, authorizer.ErrTokenExpired, nil},
		{"expired, although exp may be missing", change{"exp": now - 31}, authorizer.ErrTokenExpired, []opt{noExpiry}},
		{"expired at the edge of the skew", change{"exp": now - 30}, authorizer.ErrTokenExpired, nil},
		{"expired within the skew", change{"exp": now - 29}, nil, nil},
		{"expires now, no skew", change{"exp": now}, authorizer.ErrTokenExpired, []opt{exact}},
		{"expires in half a second, no skew", change{"exp": float64(now) + 0.5}, nil, []opt{exact}},
		{"expired half a second ago, no skew", change{"exp": float64(now) - 0.5}, authorizer.ErrTokenExpired, []opt{exact}},
		{"exp zero", change{"exp": 0}, authorizer.ErrTokenExpired, nil},
		{"exp negative", change{"exp": -1}, authorizer.ErrClaims, nil},
		{"exp huge", change{"exp": 1e300}, authorizer.ErrClaims, nil},
		{"exp past the year 9999", change{"exp": 253402300800}, authorizer.ErrClaims, nil},
		{"exp in the year 9999", change{"exp": 253402300799}, nil, nil},
		{"exp in milliseconds", change{"exp": now * 1000}, authorizer.ErrClaims, nil},
		{"exp a string", change{"exp": "9999999999"}, authorizer.ErrClaims, nil},
		{"exp a list", change{"exp": []int{9999999999}}, authorizer.ErrClaims, nil},
		{"exp a boolean", change{"exp": true}, authorizer.ErrClaims, []opt{noExpiry}},

		{"nbf in the future", change{"nbf": now + 31}, authorizer.ErrNotYetValid, nil},
		{"nbf within the skew", change{"nbf": now + 30}, nil, nil},
		{"nbf in the future, no skew", change{"nbf": now + 1}, authorizer.ErrNotYetValid, []opt{exact}},
		{"nbf a string", change{"nbf": "1"}, authorizer.ErrClaims, nil},
		{"nbf negative", change{"nbf": -1}, authorizer.ErrClaims, nil},
		{"iat in the future", change{"iat": now + 31}, authorizer.ErrNotYetValid, nil},
		{"iat within the skew", change{"iat": float64(now) + 29.5}, nil, nil},
		{"iat missing", change{"iat": nil}, nil, nil},
		{"iat a string", change{"iat": "now"}, authorizer.ErrClaims, nil},

		{"iss missing", change{"iss": nil}, authorizer.ErrIssuer, nil},
		{"iss of another", change{"iss": "https://id.example.com"}, authorizer.ErrIssuer, nil},
		{"iss a list", change{"iss": []string{testIssuer}}, authorizer.ErrIssuer, nil},
		{"iss of another, allowed", change{"iss": "x"}, nil, []opt{anyIssuer}},
		{"iss missing, allowed", change{"iss": nil}, nil, []opt{anyIssuer}},

		{"aud list", change{"aud": []string{"x", testAudience}}, nil, nil},
		{"aud list of one", change{"aud": []string{testAudience}}, nil, nil},
		{"aud of several that are allowed", nil, nil, []opt{two}},
		{"aud of another", change{"aud": "x"}, authorizer.ErrAudience, nil},
		{"aud as a prefix", change{"aud": testAudience + "2"}, authorizer.ErrAudience, nil},
		{"aud list of others", change{"aud": []string{"x", "y"}}, authorizer.ErrAudience, nil},
		{"aud empty list", change{"aud": []string{}}, authorizer.ErrAudience, nil},
		{"aud missing", change{"aud": nil}, authorizer.ErrAudience, nil},
		{"aud empty", change{"aud": ""}, authorizer.ErrAudience, nil},
		{"aud a number", change{"aud": 7}, authorizer.ErrClaims, nil},
		{"aud list with a number", change{"aud": []any{testAudience, 7}}, authorizer.ErrClaims, nil},
		{"aud nested", change{"aud": []any{[]string{testAudience}}}, authorizer.ErrClaims, nil},
		{"aud of another, allowed", change{"aud": "x"}, nil, []opt{anyAudience}},
		{"aud missing, allowed", change{"aud": nil}, nil, []opt{anyAudience}},
		{"aud of another, and expired", change{"aud": "x", "exp": now - 31}, authorizer.ErrTokenExpired, nil},
		{"aud of another, and no user", change{"aud": "x", "sub": ""}, authorizer.ErrUserID, nil},

		{"sub missing", change{"sub": nil}, authorizer.ErrUserID, nil},
		{"sub empty", change{"sub": ""}, authorizer.ErrUserID, nil},
		{"sub a number", change{"sub": 7}, authorizer.ErrUserID, nil},
		{"sub a list", change{"sub": []string{"ann"}}, authorizer.ErrUserID, nil},
		{"sub a boolean", change{"sub": true}, authorizer.ErrUserID, nil},
		{"sub too long", change{"sub": strings.Repeat("x", sumu.MaxUserID+1)}, authorizer.ErrUserID, nil},
		{"sub as long as can be", change{"sub": strings.Repeat("x", sumu.MaxUserID)}, nil, nil},
		{"another claim", change{"email": "ann@example.com", "sub": nil}, nil, []opt{email}},
		{"another claim, missing", nil, authorizer.ErrUserID, []opt{email}},
	} {
		token := sign(t, iss, claims(tc.changes))
		id, err := newAuthorizer(t, static(t, iss.JWKS()), tc.opts...).Verify(t.Context(), token)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			continue
		}
		if err == nil {
			if id.UserID == "" {
				t.Errorf("%s: accepted without a user", tc.name)
			}
			continue
		}
		kind, other := sumu.ErrUnauthorized, sumu.ErrForbidden
		if tc.want == authorizer.ErrAudience {
			kind, other = other, kind
		}
		if !errors.Is(err, kind) || errors.Is(err, other) || sumu.Retryable(err) {
			t.Errorf("%s: %v is not of the kind %v", tc.name, err, kind)
		}
		if id.UserID != "" {
			t.Errorf("%s: refused, but the identity is %+v", tc.name, id)
		}
		requireSilent(t, err, token, strings.Repeat("x", 20), testIssuer, "https://id.example.com", "9999999999")
	}
}

// JSON has claims that encoding/json does not write.
func TestClaimsAsTextOfTheirOwn(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.AudienceClaims = []string{"aud", "client_id"} })
	head := `{"iss":"` + testIssuer + `","aud":"chat",`
	for _, tc := range []struct {
		name, payload, user string
		want                error
	}{
		{"white space", " {\n\t\"sub\" : \"ann\" ,\r\"iss\":\"" + testIssuer + "\", \"aud\" : [ \"chat\" ] , \"exp\" : 9999999999 } ", "ann", nil},
		{"escaped name and value", head + `"s\u0075b":"\u0061nn","exp":9999999999}`, "ann", nil},
		{"surrogate pair", head + `"sub":"\ud83d\ude00","exp":9999999999}`, "😀", nil},
		{"half a surrogate pair", head + `"sub":"\ud83d","exp":9999999999}`, "", authorizer.ErrUserID},
		{"Sub is not sub", head + `"Sub":"ann","exp":9999999999}`, "", authorizer.ErrUserID},
		{"Sub beside sub", head + `"Sub":"bob","sub":"ann","exp":9999999999}`, "ann", nil},
		{"sub inside of another", head + `"x":{"sub":"bob","exp":1,"y":["}",{"sub":"\"}"}]},"sub":"ann","exp":9999999999}`, "ann", nil},
		{"exponent", head + `"sub":"ann","exp":9.999999999e9}`, "ann", nil},
		{"exp out of float64's range", head + `"sub":"ann","exp":1e999}`, "", authorizer.ErrClaims},
		{"exp null", head + `"sub":"ann","exp":null}`, "", authorizer.ErrClaims},
		{"nbf and iat null", head + `"sub":"ann","exp":9999999999,"nbf":null,"iat":null}`, "ann", nil},
		{"aud null beside client_id", `{"iss":"` + testIssuer + `","aud":null,"client_id":"chat","sub":"ann","exp":9999999999}`, "ann", nil},
		{"aud and client_id null", `{"iss":"` + testIssuer + `","aud":null,"client_id":null,"sub":"ann","exp":9999999999}`, "", authorizer.ErrAudience},
		{"sub null", head + `"sub":null,"exp":9999999999}`, "", authorizer.ErrUserID},
		{"too many members", head + strings.Repeat(`"a":1,`, 1) + manyMembers(600) + `"sub":"ann","exp":9999999999}`, "", authorizer.ErrMalformed},
		{"many members", head + manyMembers(400) + `"sub":"ann","exp":9999999999}`, "ann", nil},
	} {
		token, err := iss.SignRaw(nil, []byte(tc.payload))
		if err != nil {
			t.Fatal(err)
		}
		id, err := a.Verify(t.Context(), token)
		if !errors.Is(err, tc.want) || id.UserID != tc.user {
			t.Errorf("%s: %q, %v, want %q, %v", tc.name, id.UserID, err, tc.user, tc.want)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"m` + time.Duration(i).String() + `":{},`)
	}
	return b.String()
}
