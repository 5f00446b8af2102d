// Package authorizer decides who a connecting client is: it verifies the
// client's token (a signed JWT) and returns the [sumu.Identity] that it speaks
// for.
//
//	keys, err := authorizer.JWKS("https://id.example.com/.well-known/jwks.json")
//	if err != nil {
//		return err
//	}
//	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
//		o.Issuer = "https://id.example.com/"
//		o.Audiences = []string{"chat"}
//		o.Claims = []string{"org", "role"} // passed on in Identity.Claims
//	})
//	if err != nil {
//		return err
//	}
//	app, err := sumu.NewApp(auth, store)
//
// For Firebase, Cognito, Auth0, Azure AD, Google and Keycloak one line does it:
//
//	auth, err := authorizer.Firebase("my-project")
//
// Keys come from a URL ([JWKS], which reads maps of certificates too), from an
// OpenID provider's configuration ([Discover]), from documents ([StaticKeys]),
// or are a secret that is shared ([HMAC]).
//
// A client sends its token in the query (?authorization=…), in the
// Authorization header, in a cookie where [Options.Sources] says so, or as a
// sub-protocol, which keeps a browser's token out of addresses and logs:
//
//	new WebSocket(url, ["sumu", "bearer." + token])
//
// Where a token must not leave the backend, [Tickets] replace it by a text that
// counts once.
//
// What a user may do beside connecting are [Options.Grants]: templates such as
// "room.{claims.org}.*", filled from the claims, and decided once when the
// client connects.
//
// # Guarantees
//
// No token, no connection. The signature, exp, nbf, iat, the issuer, the
// audience and the user id are all checked, unless an option whose name begins
// with Insecure says otherwise. A token that is missing or does not verify is
// [sumu.ErrUnauthorized] (401); one that is for another audience is
// [sumu.ErrForbidden] (403); keys that cannot be had are [sumu.ErrUnavailable], a
// fault on our side. No error holds any part of a token.
//
// The key decides the algorithm, and the token does not: RS and PS take RSA
// keys of 2,048 bits and more, each ES algorithm takes keys on its own curve,
// EdDSA, which RFC 9864 calls Ed25519, takes keys on Ed25519 alone, and a JWK
// that has an alg verifies that one only. A key id (kid) chooses the key. Where
// it cannot, because the token has none or the keys have none (PEM), the token
// is accepted only when exactly one key fits its algorithm.
//
// # Traps that are closed
//
//   - alg "none", HMAC (also with a public key as its secret) and unknown
//     algorithms are refused. Only an authorizer whose source [HMAC] made takes
//     HMAC, and it takes nothing else.
//   - Keys that the token brings along (jwk, jku, x5u, x5c) are never looked at.
//   - crit, b64, zip, encryption, nesting and the JSON serialization are refused.
//   - A token whose typ names another purpose (such as logout+jwt) is refused.
//   - A token without exp is refused; an aud may be a string or a list.
//   - A member that comes twice is refused, in the header and in the payload,
//     and names are compared exactly: no two readers see two users in one token.
//   - Base64 is read strictly, so that a signature has one spelling. (An ECDSA
//     signature has a second value by its nature: do not use tokens as ids.)
//   - A token's length is checked before anything of it is parsed, and its
//     payload is parsed after its signature has been verified.
//   - One key of a set that cannot be read costs only itself; private and
//     symmetric keys in a set are never used.
//   - Another site's page cannot use a visitor's cookie: that the token is in one
//     is declared ([sumu.AmbientReader]), and [sumu.AppOptions.Origins] says whose
//     pages may connect.
//   - A claim cannot widen a grant: a value that could name more than one thing
//     takes the grant away.
//   - No redirect and no configuration leads a fetch to another host's private
//     address.
//
// # Cost
//
// Keys are fetched by the first token and then when they are stale: nothing
// runs in the background. See [JWKS]. Verifying a token costs little more than
// verifying its signature; the package's benchmark shows the ratio.
package authorizer
