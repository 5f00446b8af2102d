package authorizer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
)

// The issuer of these examples stands for your identity provider.
func ExampleNew() {
	iss, err := issuer.New("RS256")
	if err != nil {
		panic(err)
	}
	provider := httptest.NewServer(iss)
	defer provider.Close()

	keys, err := authorizer.JWKS(provider.URL + "/.well-known/jwks.json")
	if err != nil {
		panic(err)
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = "https://id.example.com/"
		o.Audiences = []string{"chat"}
		o.Claims = []string{"org"}
	})
	if err != nil {
		panic(err)
	}

	token, err := iss.Sign(map[string]any{
		"iss": "https://id.example.com/", "aud": "chat", "sub": "ann", "org": "acme",
		"exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		panic(err)
	}
	id, err := auth.Authorize(context.Background(), &sumu.ConnectRequest{
		Header: map[string][]string{"Sec-WebSocket-Protocol": {"sumu, bearer." + token}},
	})
	fmt.Println(id.UserID, id.Claims["org"], err)

	_, err = auth.Authorize(context.Background(), &sumu.ConnectRequest{})
	fmt.Println(err)
	// Output:
	// ann acme <nil>
	// verify token: unauthorized: no token
}

func ExampleJWKS() {
	iss, err := issuer.New("ES256")
	if err != nil {
		panic(err)
	}
	provider := httptest.NewServer(iss)
	defer provider.Close()

	keys, err := authorizer.JWKS(provider.URL+issuer.Path, func(o *authorizer.JWKSOptions) {
		o.MaxAge = 10 * time.Minute // a key that the issuer drops is trusted no longer than this
	})
	if err != nil {
		panic(err)
	}
	found, err := keys.Keys(context.Background(), iss.KeyID())
	fmt.Println(len(found), found[0].Algorithm, err)
	// Output: 1 ES256 <nil>
}

func ExampleStaticKeys() {
	iss, err := issuer.New("EdDSA")
	if err != nil {
		panic(err)
	}
	keys, err := authorizer.StaticKeys(iss.PEM()) // or a JWK, or a JWKS
	if err != nil {
		panic(err)
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = "backend"
		o.Audiences = []string{"chat"}
	})
	if err != nil {
		panic(err)
	}

	claims := map[string]any{"iss": "backend", "aud": "elsewhere", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}
	token, err := iss.Sign(claims)
	if err != nil {
		panic(err)
	}
	_, err = auth.Verify(context.Background(), token)
	fmt.Println(err, errors.Is(err, sumu.ErrForbidden))
	// Output: verify token: forbidden: token is for another audience true
}

// A service whose clients send their token in a header of their own, or in the
// query where they cannot set headers.
func ExampleTokenSource() {
	iss, err := issuer.New("EdDSA")
	if err != nil {
		panic(err)
	}
	keys, err := authorizer.StaticKeys(iss.JWKS())
	if err != nil {
		panic(err)
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = "backend"
		o.Audiences = []string{"chat"}
		o.Sources = []authorizer.TokenSource{
			authorizer.FromHeader("X-Chat-Token"),
			authorizer.FromQuery("token"),
			authorizer.FromSubprotocol("bearer."),
		}
	})
	if err != nil {
		panic(err)
	}
	token, err := iss.Sign(map[string]any{
		"iss": "backend", "aud": []string{"chat", "mail"}, "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		panic(err)
	}
	id, err := auth.Authorize(context.Background(), &sumu.ConnectRequest{
		Query: map[string][]string{"token": {token}},
	})
	fmt.Println(id.UserID, err)
	// Output: ann <nil>
}
