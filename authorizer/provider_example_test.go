package authorizer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/issuer"
)

func ExampleHMAC() {
	secret := []byte("32 random bytes from a vault....") // never from the source code
	keys, err := authorizer.HMAC(secret)
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
	_, err = auth.Verify(context.Background(), "not-a-token")
	fmt.Println(err)

	_, err = authorizer.HMAC([]byte("hunter2"))
	fmt.Println(err)
	// Output:
	// verify token: unauthorized: token is malformed
	// authorizer: invalid: the secret has 7 bytes; at least 32 are needed
}

func ExampleDiscover() {
	iss, err := issuer.New("ES256")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	provider := httptest.NewServer(mux)
	defer provider.Close()
	mux.Handle(issuer.Path, iss)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, provider.URL, provider.URL+issuer.Path)
	})

	keys, err := authorizer.Discover(provider.URL) // such as https://id.example.com
	if err != nil {
		panic(err)
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Audiences = []string{"chat"} // The issuer is the one that was discovered.
	})
	if err != nil {
		panic(err)
	}
	token, err := iss.Sign(map[string]any{
		"iss": provider.URL, "aud": "chat", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		panic(err)
	}
	id, err := auth.Verify(context.Background(), token)
	fmt.Println(id.UserID, err)
	// Output: ann <nil>
}

// A site that keeps its session in a cookie.
func ExampleFromCookie() {
	keys, err := authorizer.JWKS("https://id.example.com/.well-known/jwks.json")
	if err != nil {
		panic(err)
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = "https://id.example.com/"
		o.Audiences = []string{"chat"}
		o.Sources = []authorizer.TokenSource{authorizer.FromCookie("__Host-session")}
	})
	if err != nil {
		panic(err)
	}
	// Its own pages connect, and no others, unless Origins lists them.
	app, err := sumu.NewApp(auth, new(memstore.Store), func(o *sumu.AppOptions) {
		o.Origins = []string{"https://app.example.com", "https://*.preview.example.com"}
	})
	if err != nil {
		panic(err)
	}
	_, err = app.Connect(context.Background(), &sumu.ConnectRequest{
		ConnectionID: "c1",
		Header:       map[string][]string{"Origin": {"https://evil.example"}, "Cookie": {"__Host-session=…"}},
	})
	fmt.Println(err)
	// Output: connect c1: Origin is not among those that may connect: forbidden: origin is not allowed
}

// What a user may do comes from the claims of the token.
func ExampleOptions_grants() {
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
		o.Grants = sumu.Grants{
			{Pattern: "room.{claims.org}.*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}},
			{Pattern: "inbox.{user}", Verbs: []sumu.Verb{sumu.VerbJoin}},
		}
	})
	if err != nil {
		panic(err)
	}
	token, err := iss.Sign(map[string]any{
		"iss": "backend", "aud": "chat", "sub": "ann", "org": "acme", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		panic(err)
	}
	id, err := auth.Verify(context.Background(), token)
	if err != nil {
		panic(err)
	}
	fmt.Println(id.Grants.Allow(sumu.VerbJoin, "room.acme.42"), id.Grants.Allow(sumu.VerbJoin, "room.umbrella.1"))
	// Output: true false
}

// One line is enough for each provider. Nothing is fetched yet.
func show(auth *authorizer.Authorizer, err error) {
	fmt.Println(auth != nil, err)
}

func ExampleFirebase() {
	show(authorizer.Firebase("my-project"))
	// Output: true <nil>
}

func ExampleCognito() {
	show(authorizer.Cognito("eu-west-1", "eu-west-1_AbCdEfGhI", "3n4b5urk1ft4fl3mg5e62d9ado", func(o *authorizer.ProviderOptions) {
		o.TokenUse = "access"
		o.Claims = []string{"username"}
	}))
	// Output: true <nil>
}

func ExampleAuth0() {
	show(authorizer.Auth0("example.eu.auth0.com", "https://chat.example.com"))
	// Output: true <nil>
}

func ExampleAzureAD() {
	show(authorizer.AzureAD([]string{"72f988bf-86f1-41af-91ab-2d7cd011db47"}, "6e74172b-be56-4843-9ff4-e66a39bb12e3"))

	_, err := authorizer.AzureAD([]string{"common"}, "6e74172b-be56-4843-9ff4-e66a39bb12e3")
	fmt.Println(err)
	// Output:
	// true <nil>
	// authorizer: invalid: tenant is "common"; it must be the id of one tenant, a GUID
}

func ExampleGoogle() {
	show(authorizer.Google("314159-app.apps.googleusercontent.com", func(o *authorizer.ProviderOptions) {
		o.Audiences = append(o.Audiences, "314159-ios.apps.googleusercontent.com")
		o.Require = map[string][]string{"hd": {"example.com"}} // the members of one Workspace
	}))
	// Output: true <nil>
}

func ExampleKeycloak() {
	show(authorizer.Keycloak("https://id.example.com", "my-realm", "chat"))
	// Output: true <nil>
}

// A deployment that is told no more than where the keys are.
func ExampleOptionsOf() {
	const keyURL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI/.well-known/jwks.json"
	opts, ok := authorizer.OptionsOf(keyURL, "1h57kf5cpq17m0eml12EXAMPLE")
	fmt.Println(ok, opts.Issuer, opts.AudienceClaims, opts.Require)
	keys, err := authorizer.JWKS(keyURL)
	if err != nil {
		panic(err)
	}
	show(authorizer.New(keys, func(o *authorizer.Options) { *o = opts }))

	_, ok = authorizer.OptionsOf("https://id.example.com/jwks")
	fmt.Println(ok)
	// Output:
	// true https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI [aud client_id] map[token_use:[id access]]
	// true <nil>
	// false
}

// An endpoint that the page calls, with its session or token as with any
// other, before it opens new WebSocket("wss://chat.example.com/?ticket=" + ticket).
func ExampleNewTickets() {
	store := newFakeState(time.Now) // A sumu.StateStore, shared by all processes.
	tickets, err := authorizer.NewTickets(store)
	if err != nil {
		panic(err)
	}
	endpoint := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ann := sumu.Identity{UserID: "ann"} // Whom your own middleware has authenticated.
		ticket, err := tickets.Issue(r.Context(), ann)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(map[string]string{"ticket": ticket})
	})

	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ticket", http.NoBody))
	var answer struct{ Ticket string }
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
		panic(err)
	}
	connect := &sumu.ConnectRequest{Query: map[string][]string{"ticket": {answer.Ticket}}}
	id, err := tickets.Authorize(context.Background(), connect)
	fmt.Println(id.UserID, err)
	_, err = tickets.Authorize(context.Background(), connect)
	fmt.Println(err)
	// Output:
	// ann <nil>
	// redeem ticket: unauthorized: ticket is not valid
}

// A ticket, or else a token.
func ExampleFirst() {
	tickets, err := authorizer.NewTickets(newFakeState(time.Now))
	if err != nil {
		panic(err)
	}
	tokens, err := authorizer.Firebase("my-project")
	if err != nil {
		panic(err)
	}
	auth := authorizer.First(tickets, tokens) // For sumu.NewApp.

	_, err = auth.Authorize(context.Background(), &sumu.ConnectRequest{})
	fmt.Println(err)
	// Output: verify token: unauthorized: no token
}
