package sumu_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// bySession lets in by the session cookie of a site; yours asks where sessions
// are kept.
type bySession struct{}

func (bySession) Authorize(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	header := http.Header{"Cookie": r.HeaderValues("Cookie")}
	cookie, err := (&http.Request{Header: header}).Cookie("__Host-session")
	if err != nil || cookie.Value != "5f2b" {
		return sumu.Identity{}, &sumu.Error{Op: "no session", Kind: sumu.ErrUnauthorized}
	}
	return sumu.Identity{UserID: "ann"}, nil
}

// AmbientCredentials: browsers send the cookie whatever page opens the
// connection. A func as AuthorizerFunc need not say so: a request with a cookie
// tells by itself.
func (bySession) AmbientCredentials(*sumu.ConnectRequest) bool { return true }

// try connects with a session, from a page.
func try(app *sumu.App, origin string) {
	header := map[string][]string{"Cookie": {"__Host-session=5f2b"}}
	if origin != "" {
		header["Origin"] = []string{origin}
	}
	s, err := app.Connect(context.Background(), &sumu.ConnectRequest{
		ConnectionID: "c1", Scheme: "https", Host: "chat.example.com", Header: header, // As a transport gives them.
	})
	fmt.Printf("%q: %s %v\n", origin, s.Connection.UserID, err)
}

// A session cookie, and pages at the host of the WebSocket itself.
func ExampleAmbientReader() {
	app, err := sumu.NewApp(bySession{}, new(memstore.Store))
	if err != nil {
		panic(err)
	}
	try(app, "https://chat.example.com")
	try(app, "https://evil.example")
	try(app, "") // A program with a cookie of its own: no browser.
	// Output:
	// "https://chat.example.com": ann <nil>
	// "https://evil.example":  connect c1: Origin is of another host, and browsers send these credentials by themselves: forbidden: origin is not allowed
	// "": ann <nil>
}

// Pages at other hosts, a desktop program, and an app on a phone. A list holds
// for every page, so it names the WebSocket's own host if that has pages.
func ExampleAppOptions_origins() {
	app, err := sumu.NewApp(bySession{}, new(memstore.Store), func(o *sumu.AppOptions) {
		o.Origins = []string{
			"https://app.example.com", "https://*.preview.example.com",
			"file://",               // Electron that loads its page from a file; so may anybody's
			"app://chat",            // Electron with a scheme of its own: better
			"capacitor://localhost", // iOS
		}
	})
	if err != nil {
		panic(err)
	}
	for _, origin := range []string{"https://app.example.com", "https://pr-7.preview.example.com", "file://", "app://chat", "null", "https://preview.example.com"} {
		try(app, origin)
	}
	// Output:
	// "https://app.example.com": ann <nil>
	// "https://pr-7.preview.example.com": ann <nil>
	// "file://": ann <nil>
	// "app://chat": ann <nil>
	// "null":  connect c1: Origin is not among those that may connect: forbidden: origin is not allowed
	// "https://preview.example.com":  connect c1: Origin is not among those that may connect: forbidden: origin is not allowed
}
