package authorizer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/authorizer"
)

// The payloads have the members that the providers document, with ids and
// names made up. Dates are left out where dated sets them.
const (
	firebasePayload = `{"iss":"https://securetoken.google.com/demo-chat","aud":"demo-chat","name":"Ann","picture":"https://x.example/p.png",
		"user_id":"kZ3y0mFvQhR7tq1B","sub":"kZ3y0mFvQhR7tq1B","email":"ann@example.com","email_verified":true,"org":"acme",
		"firebase":{"identities":{"google.com":["104"],"email":["ann@example.com"]},"sign_in_provider":"google.com"}}`
	cognitoIDPayload = `{"sub":"a1b2c3d4-0000-4000-8000-0123456789ab","cognito:groups":["staff"],"email_verified":true,
		"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI","cognito:username":"ann","origin_jti":"o-1",
		"aud":"3n4b5urk1ft4fl3mg5e62d9ado","event_id":"e-1","token_use":"id","custom:org":"acme","jti":"j-1","email":"ann@example.com"}`
	cognitoAccessPayload = `{"sub":"a1b2c3d4-0000-4000-8000-0123456789ab","cognito:groups":["staff"],
		"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI","version":2,"client_id":"3n4b5urk1ft4fl3mg5e62d9ado",
		"origin_jti":"o-1","event_id":"e-1","token_use":"access","scope":"openid email","jti":"j-2","username":"ann"}`
	auth0AccessPayload = `{"iss":"https://demo.eu.auth0.com/","sub":"auth0|507f1f77bcf86cd799439011",
		"aud":["https://chat.example.com","https://demo.eu.auth0.com/userinfo"],"scope":"openid profile","azp":"my_client_id","permissions":["chat:read"]}`
	azureV2Payload = `{"aud":"6e74172b-be56-4843-9ff4-e66a39bb12e3","iss":"https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
		"aio":"AXQAi/8IAAAA","azp":"0e7d9a3c-0000-4000-8000-0123456789ab","azpacr":"0","name":"Ann","oid":"690222be-ff1a-4d56-abd1-7e4f7d38e474",
		"preferred_username":"ann@example.com","rh":"I","scp":"access_as_user","sub":"HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
		"tid":"72f988bf-86f1-41af-91ab-2d7cd011db47","uti":"fqiBqXLPj0eQa82S-IYFAA","ver":"2.0"}`
	azureV1Payload = `{"aud":"api://6e74172b-be56-4843-9ff4-e66a39bb12e3","iss":"https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
		"acr":"1","aio":"E2ZgYAjnqd","amr":["pwd"],"appid":"0e7d9a3c-0000-4000-8000-0123456789ab","appidacr":"0","family_name":"Example","given_name":"Ann",
		"ipaddr":"198.51.100.7","name":"Ann","oid":"690222be-ff1a-4d56-abd1-7e4f7d38e474","scp":"access_as_user",
		"sub":"5_J9rSss8-jvt_Icu6ueRNL8xXb8LF4Fsg_KooC2RJQ","tid":"72f988bf-86f1-41af-91ab-2d7cd011db47","unique_name":"ann@example.com","ver":"1.0"}`
	googlePayload = `{"iss":"https://accounts.google.com","azp":"314159-app.apps.googleusercontent.com","aud":"314159-app.apps.googleusercontent.com",
		"sub":"10769150350006150715113082367","at_hash":"HK6E_P6Dh8Y93mRNtsDB1Q","hd":"example.com","email":"ann@example.com","email_verified":true,"nonce":"n"}`
	keycloakAccessPayload = `{"jti":"onrtac:1","iss":"https://id.example.com/realms/demo","aud":"account","sub":"f3a1c1e0-0000-4000-8000-0123456789ab",
		"typ":"Bearer","azp":"chat","sid":"s-1","acr":"1","allowed-origins":["https://app.example.com"],"realm_access":{"roles":["user"]},
		"resource_access":{"account":{"roles":["view-profile"]}},"scope":"openid email profile","email_verified":true,"preferred_username":"ann"}`
	keycloakIDPayload = `{"jti":"i-1","iss":"https://id.example.com/realms/demo","aud":"chat","sub":"f3a1c1e0-0000-4000-8000-0123456789ab",
		"typ":"ID","azp":"chat","sid":"s-1","at_hash":"x","acr":"1","email_verified":true,"preferred_username":"ann"}`

	azureTenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	azureClient = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
	cognitoApp  = "3n4b5urk1ft4fl3mg5e62d9ado"
	googleApp   = "314159-app.apps.googleusercontent.com"
)

type providerOpt = func(*authorizer.ProviderOptions)

func use(tokenUse string) providerOpt {
	return func(o *authorizer.ProviderOptions) { o.TokenUse = tokenUse }
}

var (
	firebase = func(fn ...providerOpt) (*authorizer.Authorizer, error) {
		return authorizer.Firebase("demo-chat", fn...)
	}
	cognito = func(fn ...providerOpt) (*authorizer.Authorizer, error) {
		return authorizer.Cognito("eu-west-1", "eu-west-1_AbCdEfGhI", cognitoApp, fn...)
	}
	auth0 = func(fn ...providerOpt) (*authorizer.Authorizer, error) {
		return authorizer.Auth0("demo.eu.auth0.com", "https://chat.example.com", fn...)
	}
	azure = func(fn ...providerOpt) (*authorizer.Authorizer, error) {
		return authorizer.AzureAD([]string{strings.ToUpper(azureTenant)}, azureClient, fn...)
	}
	azureMany = func(fn ...providerOpt) (*authorizer.Authorizer, error) {
		return authorizer.AzureAD([]string{"9188040d-6c67-4c5b-b112-36a304b66dad", azureTenant}, azureClient, fn...)
	}
	azureAny = func(fn ...providerOpt) (*authorizer.Authorizer, error) {
		return authorizer.AzureAD(nil, azureClient, append(fn, func(o *authorizer.ProviderOptions) { o.InsecureAnyIssuer = true })...)
	}
	google   = func(fn ...providerOpt) (*authorizer.Authorizer, error) { return authorizer.Google(googleApp, fn...) }
	keycloak = func(fn ...providerOpt) (*authorizer.Authorizer, error) {
		return authorizer.Keycloak("https://id.example.com/", "demo", "chat", fn...)
	}
)

const (
	firebaseKeys = "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
	cognitoKeys  = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI/.well-known/jwks.json"
	auth0Keys    = "https://demo.eu.auth0.com/.well-known/jwks.json"
	azureKeys    = "https://login.microsoftonline.com/" + azureTenant + "/discovery/v2.0/keys"
	azureAllKeys = "https://login.microsoftonline.com/common/discovery/v2.0/keys"
	googleKeys   = "https://www.googleapis.com/oauth2/v3/certs"
	keycloakKeys = "https://id.example.com/realms/demo/protocol/openid-connect/certs"
)

// providerWeb serves the keys of one issuer as each provider does.
func providerWeb(t testing.TB) *fakeWeb {
	t.Helper()
	iss := issuers["RS256"]()
	x5c := []string{"MIIC/jCCAeagAwIBAgIJAJtUKQ=="}
	jwks := func(changes change, more ...string) string {
		return `{"keys":[` + strings.Join(append(more, string(jwkWith(t, iss, changes))), ",") + `]}`
	}
	azureKey := change{"alg": nil, "x5c": x5c, "x5t": "abc", "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}
	return &fakeWeb{docs: map[string]string{
		firebaseKeys: string(certificates(t, iss, testNow.Add(-time.Hour), testNow.Add(16*24*time.Hour))),
		cognitoKeys:  jwks(nil, string(jwkWith(t, newIssuer(t, "ES256"), change{"kid": "other"}))),
		auth0Keys:    jwks(change{"x5c": x5c, "x5t": "abc"}),
		azureKeys:    jwks(azureKey),
		azureAllKeys: jwks(azureKey),
		googleKeys:   jwks(nil),
		keycloakKeys: jwks(change{"x5c": x5c}, string(jwkWith(t, iss, change{"kid": "enc", "use": "enc", "alg": "RSA-OAEP"}))),
	}}
}

// dated returns a payload with good dates, and with changes.
func dated(t testing.TB, payload string, changes change) map[string]any {
	t.Helper()
	c := make(map[string]any)
	if err := json.Unmarshal([]byte(payload), &c); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iat", "nbf", "auth_time"} {
		c[name] = testNow.Unix() - 60
	}
	c["exp"] = testNow.Unix() + 3540
	for name, v := range changes {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}
