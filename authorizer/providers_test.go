package authorizer_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestProviders(t *testing.T) {
	iss := issuers["RS256"]()
	for _, tc := range []struct {
		name    string
		make    func(...providerOpt) (*authorizer.Authorizer, error)
		keys    string
		payload string
		changes change
		user    string // "": the payload's sub
		want    error
		opts    []providerOpt
	}{
		{"Firebase", firebase, firebaseKeys, firebasePayload, nil, "kZ3y0mFvQhR7tq1B", nil, nil},
		{"Firebase, another project", firebase, firebaseKeys, firebasePayload, change{"iss": "https://securetoken.google.com/other", "aud": "other"}, "", authorizer.ErrIssuer, nil},
		{"Firebase, session cookie", firebase, firebaseKeys, firebasePayload, change{"iss": "https://session.firebase.google.com/demo-chat"}, "", authorizer.ErrIssuer, nil},
		{"Firebase, another audience", firebase, firebaseKeys, firebasePayload, change{"aud": "other"}, "", authorizer.ErrAudience, nil},
		{"Firebase, no user", firebase, firebaseKeys, firebasePayload, change{"sub": ""}, "", authorizer.ErrUserID, nil},
		{"Firebase, signed in tomorrow", firebase, firebaseKeys, firebasePayload, change{"auth_time": testNow.Unix() + 86400}, "", authorizer.ErrNotYetValid, nil},

		{"Cognito ID token", cognito, cognitoKeys, cognitoIDPayload, nil, "", nil, nil},
		{"Cognito access token", cognito, cognitoKeys, cognitoAccessPayload, nil, "", nil, nil},
		{"Cognito access token for a resource", cognito, cognitoKeys, cognitoAccessPayload, change{"aud": "https://api.example.com"}, "", nil, nil},
		{"Cognito ID token, ID only", cognito, cognitoKeys, cognitoIDPayload, nil, "", nil, []providerOpt{use("id")}},
		{"Cognito access token, access only", cognito, cognitoKeys, cognitoAccessPayload, nil, "", nil, []providerOpt{use("access")}},
		{"Cognito ID token, access only", cognito, cognitoKeys, cognitoIDPayload, nil, "", authorizer.ErrClaims, []providerOpt{use("access")}},
		{"Cognito access token, ID only", cognito, cognitoKeys, cognitoAccessPayload, nil, "", authorizer.ErrClaims, []providerOpt{use("id")}},
		{"Cognito, no token_use", cognito, cognitoKeys, cognitoIDPayload, change{"token_use": nil}, "", authorizer.ErrClaims, nil},
		{"Cognito, another app's access token", cognito, cognitoKeys, cognitoAccessPayload, change{"client_id": "other"}, "", authorizer.ErrAudience, nil},
		{"Cognito, another app's ID token", cognito, cognitoKeys, cognitoIDPayload, change{"aud": "other"}, "", authorizer.ErrAudience, nil},
		{"Cognito, access only, the app in aud alone", cognito, cognitoKeys, cognitoAccessPayload, change{"client_id": "other", "aud": cognitoApp}, "", authorizer.ErrAudience, []providerOpt{use("access")}},
		{"Cognito, another pool", cognito, cognitoKeys, cognitoIDPayload, change{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"}, "", authorizer.ErrIssuer, nil},
		{"Cognito, required claim beside its own", cognito, cognitoKeys, cognitoIDPayload, nil, "", authorizer.ErrClaims, []providerOpt{func(o *authorizer.ProviderOptions) { o.Require = map[string][]string{"custom:org": {"umbrella"}} }}},

		{"Auth0 access token", auth0, auth0Keys, auth0AccessPayload, nil, "auth0|507f1f77bcf86cd799439011", nil, nil},
		{"Auth0, aud a string", auth0, auth0Keys, auth0AccessPayload, change{"aud": "https://chat.example.com"}, "", nil, nil},
		{"Auth0, another API", auth0, auth0Keys, auth0AccessPayload, change{"aud": []string{"https://other.example.com", "https://demo.eu.auth0.com/userinfo"}}, "", authorizer.ErrAudience, nil},
		{"Auth0, another tenant", auth0, auth0Keys, auth0AccessPayload, change{"iss": "https://other.eu.auth0.com/"}, "", authorizer.ErrIssuer, nil},

		{"Azure v2.0", azure, azureKeys, azureV2Payload, nil, "", nil, nil},
		{"Azure v1.0", azure, azureKeys, azureV1Payload, nil, "", nil, nil},
		{"Azure, oid", azure, azureKeys, azureV1Payload, nil, "690222be-ff1a-4d56-abd1-7e4f7d38e474", nil, []providerOpt{func(o *authorizer.ProviderOptions) { o.UserIDClaim = "oid" }}},
		{"Azure, another tenant", azure, azureKeys, azureV2Payload, change{"iss": "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"}, "", authorizer.ErrIssuer, nil},
		{"Azure, template of an issuer", azure, azureKeys, azureV2Payload, change{"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}, "", authorizer.ErrIssuer, nil},
		{"Azure, another application", azure, azureKeys, azureV2Payload, change{"aud": "00000003-0000-0000-c000-000000000000"}, "", authorizer.ErrAudience, nil},
		{"Azure, two tenants", azureMany, azureAllKeys, azureV2Payload, nil, "", nil, nil},
		{"Azure, two tenants, the other", azureMany, azureAllKeys, azureV2Payload, change{"iss": "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"}, "", nil, nil},
		{"Azure, two tenants, a third", azureMany, azureAllKeys, azureV2Payload, change{"iss": "https://login.microsoftonline.com/00000000-6c67-4c5b-b112-36a304b66dad/v2.0"}, "", authorizer.ErrIssuer, nil},
		{"Azure, any tenant by choice", azureAny, azureAllKeys, azureV2Payload, change{"iss": "https://login.microsoftonline.com/00000000-6c67-4c5b-b112-36a304b66dad/v2.0"}, "", nil, nil},

		{"Google", google, googleKeys, googlePayload, nil, "10769150350006150715113082367", nil, nil},
		{"Google, the short issuer", google, googleKeys, googlePayload, change{"iss": "accounts.google.com"}, "", nil, nil},
		{"Google, http", google, googleKeys, googlePayload, change{"iss": "http://accounts.google.com"}, "", authorizer.ErrIssuer, nil},
		{"Google, another client", google, googleKeys, googlePayload, change{"aud": "other.apps.googleusercontent.com"}, "", authorizer.ErrAudience, nil},
		{"Google, a further client", google, googleKeys, googlePayload, change{"aud": "ios.apps.googleusercontent.com"}, "", nil, []providerOpt{func(o *authorizer.ProviderOptions) {
			o.Audiences = append(o.Audiences, "ios.apps.googleusercontent.com")
		}}},
		{"Google, another Workspace", google, googleKeys, googlePayload, nil, "", authorizer.ErrClaims, []providerOpt{func(o *authorizer.ProviderOptions) { o.Require = map[string][]string{"hd": {"example.org"}} }}},

		{"Keycloak access token", keycloak, keycloakKeys, keycloakAccessPayload, nil, "", nil, nil},
		{"Keycloak ID token", keycloak, keycloakKeys, keycloakIDPayload, nil, "", nil, nil},
		{"Keycloak, issued to another for us", keycloak, keycloakKeys, keycloakAccessPayload, change{"azp": "web", "aud": []string{"account", "chat"}}, "", nil, nil},
		{"Keycloak, another client", keycloak, keycloakKeys, keycloakAccessPayload, change{"azp": "web"}, "", authorizer.ErrAudience, nil},
		{"Keycloak, another realm", keycloak, keycloakKeys, keycloakAccessPayload, change{"iss": "https://id.example.com/realms/master"}, "", authorizer.ErrIssuer, nil},
		{"Keycloak, logout token", keycloak, keycloakKeys, keycloakAccessPayload, change{"typ": "Logout"}, "", authorizer.ErrClaims, nil},
		{"Keycloak, logout token, with a claim of one's own", keycloak, keycloakKeys, keycloakAccessPayload, change{"typ": "Logout"}, "", authorizer.ErrClaims, []providerOpt{func(o *authorizer.ProviderOptions) { o.Require = map[string][]string{"preferred_username": {"ann"}} }}},
		{"Keycloak, required claim beside its own", keycloak, keycloakKeys, keycloakAccessPayload, nil, "", nil, []providerOpt{func(o *authorizer.ProviderOptions) { o.Require = map[string][]string{"preferred_username": {"ann"}} }}},
		{"Keycloak, another typ by choice", keycloak, keycloakKeys, keycloakAccessPayload, change{"typ": "DPoP"}, "", nil, []providerOpt{func(o *authorizer.ProviderOptions) { o.Require = map[string][]string{"typ": {"DPoP"}} }}},
		{"Keycloak, refresh token", keycloak, keycloakKeys, keycloakAccessPayload, change{"typ": "Refresh"}, "", authorizer.ErrClaims, nil},
	} {
		web := providerWeb(t)
		opts := append([]providerOpt{func(o *authorizer.ProviderOptions) {
			o.Now = func() time.Time { return testNow }
			o.Keys.HTTPClient = &http.Client{Transport: web}
		}}, tc.opts...)
		a, err := tc.make(opts...)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		c := dated(t, tc.payload, tc.changes)
		id, err := a.Verify(t.Context(), sign(t, iss, c))
		if tc.user == "" && tc.want == nil {
			tc.user, _ = c["sub"].(string)
		}
		if !errors.Is(err, tc.want) || id.UserID != tc.user {
			t.Errorf("%s: %q, %v, want %q, %v", tc.name, id.UserID, err, tc.user, tc.want)
		}
		web.requireAsked(t, tc.keys)
		if err != nil {
			continue
		}
		// Nobody else's key, and expired tokens neither.
		other := signWith(t, newIssuer(t, "EdDSA"), change{"kid": iss.KeyID()}, c)
		if _, err := a.Verify(t.Context(), other); !errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%s: another key: %v", tc.name, err)
		}
		c["exp"] = testNow.Unix() - 3600
		if _, err := a.Verify(t.Context(), sign(t, iss, c)); !errors.Is(err, authorizer.ErrTokenExpired) {
			t.Errorf("%s: expired: %v", tc.name, err)
		}
	}
}

// Azure's keys have no alg: RS256 is pinned, and so it is for the others.
func TestProvidersPinTheAlgorithm(t *testing.T) {
	iss := newIssuer(t, "RS512")
	for name, create := range map[string]func(...providerOpt) (*authorizer.Authorizer, error){
		"Firebase": firebase, "Cognito": cognito, "Auth0": auth0, "Azure": azure, "Google": google,
	} {
		a, err := create(func(o *authorizer.ProviderOptions) {
			o.Now = func() time.Time { return testNow }
			o.Keys.HTTPClient = serve([]byte(`{"keys":[` + string(jwkWith(t, iss, change{"alg": nil})) + `]}`))
			o.InsecureAnyIssuer, o.Issuer, o.Issuers = true, "", nil
			o.InsecureAnyAudience, o.Audiences = true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		token := sign(t, iss, claims(change{"token_use": "id"}))
		if _, err := a.Verify(t.Context(), token); !errors.Is(err, authorizer.ErrAlgorithm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProvidersRefuseBadParameters(t *testing.T) {
	with := func(a *authorizer.Authorizer, err error) error {
		if err == nil || a != nil {
			return nil
		}
		return err
	}
	noTenant := authorizer.AzureAD
	for want, err := range map[string]error{
		"projectID":           with(authorizer.Firebase("")),
		`"a/b"`:               with(authorizer.Firebase("a/b")),
		"region":              with(authorizer.Cognito("", "_x", "c")),
		"poolID is":           with(authorizer.Cognito("eu-west-1", "us-east-1_AbC", "c")),
		`"eu-west-1_/x"`:      with(authorizer.Cognito("eu-west-1", "eu-west-1_/x", "c")),
		"clientID":            with(authorizer.Cognito("eu-west-1", "eu-west-1_AbC", "")),
		"TokenUse is \"ID\"":  with(cognito(use("ID"))),
		"TokenUse is for":     with(google(use("id"))),
		"domain":              with(authorizer.Auth0("https://demo.eu.auth0.com", "a")),
		`"demo"`:              with(authorizer.Auth0("demo", "a")),
		"audience is empty":   with(authorizer.Auth0("demo.eu.auth0.com", "")),
		`"common"`:            with(noTenant([]string{"common"}, "c")),
		`"organizations"`:     with(noTenant([]string{azureTenant, "organizations"}, "c")),
		`"example.com"`:       with(noTenant([]string{"example.com"}, "c")),
		"Issuer is empty":     with(noTenant(nil, "c")),
		"clientID is":         with(authorizer.Google("")),
		"scheme":              with(authorizer.Keycloak("id.example.com", "demo", "chat")),
		"query":               with(authorizer.Keycloak("https://id.example.com?x", "demo", "chat")),
		"realm":               with(authorizer.Keycloak("https://id.example.com", "", "chat")),
		"http is for":         with(authorizer.Keycloak("http://id.example.com", "demo", "chat")),
		"Skew":                with(google(func(o *authorizer.ProviderOptions) { o.Skew = time.Hour })),
		"Timeout":             with(google(func(o *authorizer.ProviderOptions) { o.Keys.Timeout = time.Hour })),
		"Issuer and Insecure": with(google(func(o *authorizer.ProviderOptions) { o.InsecureAnyIssuer = true })),
	} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	_, err := authorizer.Cognito("", "", "", use("x"), func(o *authorizer.ProviderOptions) { o.Keys.Timeout, o.MaxToken = -1, -1 })
	for _, want := range []string{"region", "poolID", "clientID", "TokenUse", "Timeout", "MaxToken"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
}

func TestOptionsOf(t *testing.T) {
	for _, tc := range []struct {
		url       string
		audiences []string
		want      string
	}{
		{firebaseKeys, []string{"demo-chat"}, "https://securetoken.google.com/demo-chat"},
		{"https://www.googleapis.com/service_accounts/v1/metadata/x509/securetoken@system.gserviceaccount.com", []string{"demo-chat"}, "https://securetoken.google.com/demo-chat"},
		{"https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com", []string{"demo-chat"}, "https://securetoken.google.com/demo-chat"},
		{cognitoKeys, nil, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"},
		{auth0Keys, []string{"a", "b"}, "https://demo.eu.auth0.com/"},
		{"https://demo.auth0.com/.well-known/jwks.json", nil, "https://demo.auth0.com/"},

		{firebaseKeys, nil, ""},
		{firebaseKeys, []string{""}, ""},
		{firebaseKeys, []string{"a", "b"}, ""},
		{"https://www.googleapis.com/oauth2/v3/certs", []string{"a"}, ""},
		{"https://www.googleapis.com/x/securetoken@system.gserviceaccount.com", []string{"a"}, ""},
		{strings.Replace(firebaseKeys, "www.", "evil.", 1), []string{"a"}, ""},
		{"https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_AbC/.well-known/jwks.json", nil, ""},
		{"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_/.well-known/jwks.json", nil, ""},
		{"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A/b/.well-known/jwks.json", nil, ""},
		{"https://cognito-idp.eu-west-1.amazonaws.com.evil.example/eu-west-1_A/.well-known/jwks.json", nil, ""},
		{"https://cognito-idp.evil.example/.amazonaws.com/evil.example/_A/.well-known/jwks.json", nil, ""},
		{"https://cognito-idp.evil.example/evil.example_A/.well-known/jwks.json", nil, ""},
		{"https://evil.example/evil.example_A/.well-known/jwks.json", nil, ""},
		{"https://auth0.com/.well-known/jwks.json", nil, ""},
		{"https://.auth0.com/.well-known/jwks.json", nil, ""},
		{"https://demo.auth0.com.evil.example/.well-known/jwks.json", nil, ""},
		{"https://demo.auth0.com/x/.well-known/jwks.json", nil, ""},
		{"https://demo.auth0.com:8443/.well-known/jwks.json", nil, ""},
		{"https://u@demo.auth0.com/.well-known/jwks.json", nil, ""},
		{"https://demo.auth0.com/.well-known/jwks.json?x", nil, ""},
		{"https://demo.auth0.com/.well-known/jwks.json#x", nil, ""},
		{"https://demo.auth0.com/%2ewell-known/jwks.json", nil, ""},
		{"http://demo.auth0.com/.well-known/jwks.json", nil, ""},
		{"https://id.example.com/.well-known/jwks.json", nil, ""},
		{"://", nil, ""},
		{"", nil, ""},
	} {
		got, ok := authorizer.OptionsOf(tc.url, tc.audiences...)
		if got.Issuer != tc.want || ok != (tc.want != "") || !slices.Equal(got.Audiences, tc.audiences) {
			t.Errorf("OptionsOf(%q, %q) = %+v, %v", tc.url, tc.audiences, got, ok)
		}
		if rs256 := slices.Equal(got.Algorithms, []string{"RS256"}); rs256 != ok {
			t.Errorf("OptionsOf(%q, %q) has the algorithms %q", tc.url, tc.audiences, got.Algorithms)
		}
		if !ok && (got.AudienceClaims != nil || got.Require != nil) {
			t.Errorf("OptionsOf(%q, %q) = %+v of a URL that does not tell", tc.url, tc.audiences, got)
		}
	}
}

// By its key URL, a provider's tokens are let in as by its constructor.
func TestOptionsOfAreThoseOfTheProvider(t *testing.T) {
	iss := issuers["RS256"]()
	const pool, tenant = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI", "https://demo.eu.auth0.com/"
	later := testNow.Add(time.Hour).Unix()
	for _, tc := range []struct {
		name, url string
		claims    change
		want      error
	}{
		{"Cognito access", cognitoKeys, change{"iss": pool, "aud": nil, "client_id": "app", "token_use": "access"}, nil},
		{"Cognito ID", cognitoKeys, change{"iss": pool, "aud": "app", "token_use": "id"}, nil},
		{"Cognito, another client", cognitoKeys, change{"iss": pool, "aud": nil, "client_id": "x", "token_use": "access"}, authorizer.ErrAudience},
		{"Cognito, another use", cognitoKeys, change{"iss": pool, "aud": "app", "token_use": "refresh"}, authorizer.ErrClaims},
		{"Cognito, no use", cognitoKeys, change{"iss": pool, "aud": "app"}, authorizer.ErrClaims},
		{"Auth0", auth0Keys, change{"iss": tenant, "aud": []string{"x", "app"}}, nil},
		{"Auth0, the client alone", auth0Keys, change{"iss": tenant, "aud": nil, "azp": "app", "client_id": "app"}, authorizer.ErrAudience},
		{"Firebase", firebaseKeys, change{"iss": "https://securetoken.google.com/app", "aud": "app", "auth_time": testNow.Unix()}, nil},
		{"Firebase, signed in later", firebaseKeys, change{"iss": "https://securetoken.google.com/app", "aud": "app", "auth_time": later}, authorizer.ErrNotYetValid},
	} {
		opts, ok := authorizer.OptionsOf(tc.url, "app")
		if !ok {
			t.Errorf("%s: not told", tc.name)
			continue
		}
		opts.Now = func() time.Time { return testNow }
		a, err := authorizer.New(static(t, iss.JWKS()), func(o *authorizer.Options) { *o = opts })
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if _, err := a.Verify(t.Context(), sign(t, iss, claims(tc.claims))); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}
