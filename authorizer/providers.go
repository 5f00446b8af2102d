package authorizer

import (
	"net/url"
	"strings"
)

const (
	firebaseIssuer = "https://securetoken.google.com/"
	firebaseUser   = "securetoken@system.gserviceaccount.com"
	googleKeys     = "https://www.googleapis.com"
	azureLogin     = "https://login.microsoftonline.com/"
	wellKnownKeys  = "/.well-known/jwks.json"
)

// rs256 is the one algorithm of providers whose documentation says so. It is
// pinned, because not all of their keys have an alg.
func rs256() []string { return []string{"RS256"} }

// Firebase returns an authorizer for the ID tokens of a Firebase project
// (Firebase Authentication, Identity Platform): RS256, iss and aud of the
// project, auth_time not in the future. The user id is sub, the Firebase uid.
// ErrInvalid is returned as by [New].
func Firebase(projectID string, optFns ...func(*ProviderOptions)) (*Authorizer, error) {
	p := preset{keyURL: googleKeys + "/robot/v1/metadata/x509/" + firebaseUser}
	p.part("projectID", projectID)
	p.opts.Options = firebase(projectID)
	return p.build(optFns)
}

func firebase(projectID string) Options {
	return Options{
		Issuer: firebaseIssuer + projectID, Audiences: []string{projectID}, Algorithms: rs256(),
		dates: []string{"auth_time"},
	}
}

// isFirebase reports whether a URL serves Firebase's keys.
func isFirebase(u *url.URL) bool {
	switch dir, ok := strings.CutSuffix(u.Path, "/"+firebaseUser); dir {
	case "/robot/v1/metadata/x509", "/service_accounts/v1/metadata/x509", "/robot/v1/metadata/jwk", "/service_accounts/v1/jwk":
		return ok && "https://"+u.Host == googleKeys
	}
	return false
}

// Cognito returns an authorizer for the tokens of a user pool of Amazon
// Cognito, such as "eu-west-1" and "eu-west-1_AbCdEfGhI", issued to an app
// client: RS256, the pool's iss, and the client in aud of an ID token or in
// client_id of an access token. [ProviderOptions.TokenUse] chooses one of the
// two. The user id is sub. ErrInvalid is returned as by [New].
func Cognito(region, poolID, clientID string, optFns ...func(*ProviderOptions)) (*Authorizer, error) {
	issuer := "https://cognito-idp." + region + ".amazonaws.com/" + poolID
	p := preset{keyURL: issuer + wellKnownKeys, finish: cognitoUse, hasTokenUse: true}
	p.part("region", region)
	p.part("poolID", poolID)
	p.check(strings.HasPrefix(poolID, region+"_"), "poolID is %q; it begins with the region and \"_\"", poolID)
	p.check(clientID != "", "clientID is empty")
	p.opts.Options = cognito(issuer, []string{clientID})
	return p.build(optFns)
}

func cognito(issuer string, clients []string) Options {
	return Options{Issuer: issuer, Audiences: clients, Algorithms: rs256()}
}

// cognitoUse has each kind of token name its client where this kind does.
func cognitoUse(o *ProviderOptions) error {
	claims, uses := []string{"aud", "client_id"}, []string{"id", "access"}
	switch o.TokenUse {
	case "":
	case "id":
		claims, uses = claims[:1], uses[:1]
	case "access":
		claims, uses = claims[1:], uses[1:]
	default:
		return invalid("TokenUse is %q; it must be \"id\", \"access\" or empty", o.TokenUse)
	}
	if o.AudienceClaims == nil {
		o.AudienceClaims = claims
	}
	o.require("token_use", uses...)
	return nil
}

// Auth0 returns an authorizer for the tokens of an Auth0 tenant, by its domain
// ("example.eu.auth0.com", or a custom one): RS256, the tenant's iss, and the
// audience, which is an API's identifier in access tokens and the client id in
// ID tokens. The user id is sub, such as "auth0|507f1f77bcf86cd799439011".
// ErrInvalid is returned as by [New].
func Auth0(domain, audience string, optFns ...func(*ProviderOptions)) (*Authorizer, error) {
	p := preset{keyURL: "https://" + domain + wellKnownKeys}
	p.check(strings.Contains(domain, ".") && isName(strings.ToLower(domain)), "domain is %q; it must be a host name such as example.eu.auth0.com", domain)
	p.check(audience != "", "audience is empty")
	p.opts.Options = auth0(domain, []string{audience})
	return p.build(optFns)
}

func auth0(domain string, audiences []string) Options {
	return Options{Issuer: "https://" + domain + "/", Audiences: audiences, Algorithms: rs256()}
}

// AzureAD returns an authorizer for the tokens that Microsoft Entra ID (Azure
// AD) issues to an application: RS256, the iss of one of the tenants in either
// version (v1.0 and v2.0), and the client id, or "api://" and the client id, as
// aud. The tenants are given by their ids (GUIDs). "common", "organizations"
// and "consumers" are refused: they stand for everybody's tenants. To accept
// every tenant there is, give none and set InsecureAnyIssuer.
//
// The user id is sub, which differs from application to application for one
// person; set UserIDClaim to "oid" for the id that is the same in all of them.
// ErrInvalid is returned as by [New].
func AzureAD(tenants []string, clientID string, optFns ...func(*ProviderOptions)) (*Authorizer, error) {
	keysOf := "common"
	if len(tenants) == 1 {
		keysOf = strings.ToLower(tenants[0])
	}
	p := preset{keyURL: azureLogin + url.PathEscape(keysOf) + "/discovery/v2.0/keys"}
	for _, tenant := range tenants {
		p.check(isGUID(tenant), "tenant is %q; it must be the id of one tenant, a GUID", tenant)
		tenant = strings.ToLower(tenant)
		p.opts.Issuers = append(p.opts.Issuers, azureLogin+tenant+"/v2.0", "https://sts.windows.net/"+tenant+"/")
	}
	p.check(clientID != "", "clientID is empty")
	p.opts.Audiences = []string{clientID, "api://" + clientID}
	p.opts.Algorithms = rs256()
	return p.build(optFns)
}

// Google returns an authorizer for the ID tokens of Sign in with Google, issued
// to a client ("….apps.googleusercontent.com"): RS256, Google's iss in either
// of its spellings, the client as aud. Everybody with a Google account has one:
// for the members of one Workspace set Require to {"hd": {"example.com"}}. The
// user id is sub. ErrInvalid is returned as by [New].
func Google(clientID string, optFns ...func(*ProviderOptions)) (*Authorizer, error) {
	p := preset{keyURL: googleKeys + "/oauth2/v3/certs"}
	p.check(clientID != "", "clientID is empty")
	p.opts.Issuer = "https://accounts.google.com"
	p.opts.Issuers = []string{"accounts.google.com"}
	p.opts.Audiences = []string{clientID}
	p.opts.Algorithms = rs256()
	return p.build(optFns)
}

// Keycloak returns an authorizer for the tokens of a realm of Keycloak, issued
// to a client, which is their azp, or for it, which makes it their aud. baseURL
// is Keycloak's address as tokens name it, such as "https://id.example.com";
// older versions have "/auth" behind it. ID tokens and access tokens are
// accepted, and no other kind. The user id is sub. ErrInvalid is returned as by
// [New].
func Keycloak(baseURL, realm, clientID string, optFns ...func(*ProviderOptions)) (*Authorizer, error) {
	issuer := strings.TrimSuffix(baseURL, "/") + "/realms/" + url.PathEscape(realm)
	p := preset{keyURL: issuer + "/protocol/openid-connect/certs", finish: func(o *ProviderOptions) error {
		// Tokens for a logout and others have a typ of their own, and the same key.
		o.require("typ", "Bearer", "ID")
		return nil
	}}
	p.check(!strings.ContainsAny(baseURL, "?#"), "baseURL has a query or a fragment")
	p.check(realm != "", "realm is empty")
	p.check(clientID != "", "clientID is empty")
	p.opts.Issuer = issuer
	p.opts.Audiences = []string{clientID}
	p.opts.AudienceClaims = []string{"aud", "azp"}
	return p.build(optFns)
}

// isGUID reports whether s is 8-4-4-4-12 hexadecimal digits.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}

// OptionsOf returns what verifies the tokens that are signed with the keys at a
// URL, for the providers whose URL tells: the key URLs of [Cognito] and [Auth0]
// (not its custom domains), and those of [Firebase] when exactly one audience,
// the project, is given. Issuer, Algorithms and what the provider's tokens need
// beside (of Cognito the claims that name the client, and its token_use) are as
// in its own constructor; Audiences are those given. It does not ask the
// provider. For any other URL it is not ok, and but for Audiences there are no
// options.
func OptionsOf(keyURL string, audiences ...string) (opts Options, ok bool) {
	opts.Audiences = audiences
	u, err := url.Parse(keyURL)
	if err != nil || u.Scheme != "https" || keyURL != "https://"+u.Host+u.Path {
		return opts, false
	}
	base, wellKnown := strings.CutSuffix(u.Path, wellKnownKeys)
	switch {
	case wellKnown && base == "" && isHostBelow(u.Host, ".auth0.com"):
		return auth0(u.Host, audiences), true
	case wellKnown && isCognito(u.Host, base):
		told := ProviderOptions{Options: cognito("https://"+u.Host+base, audiences)}
		_ = cognitoUse(&told) // Of both uses there is nothing wrong.
		return told.Options, true
	case isFirebase(u) && len(audiences) == 1 && audiences[0] != "":
		return firebase(audiences[0]), true
	}
	return opts, false
}

func isHostBelow(host, suffix string) bool {
	labels, ok := strings.CutSuffix(host, suffix)
	return ok && isName(labels)
}

// isCognito reports whether host and path are a user pool's: /{region}_{id} at
// that region's host.
func isCognito(host, path string) bool {
	region, ok := strings.CutPrefix(host, "cognito-idp.")
	if ok {
		region, ok = strings.CutSuffix(region, ".amazonaws.com")
	}
	id, mine := strings.CutPrefix(path, "/"+region+"_")
	return ok && mine && isName(region) && id != "" && !strings.Contains(id, "/")
}

// isName reports whether s is labels of a host name with dots between them.
func isName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
