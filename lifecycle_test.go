package sumu_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// tokens is an authorizer whose tokens are in the query, and in a map.
type tokens map[string]sumu.Identity

func (a tokens) Authorize(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	return a.Verify(ctx, strings.Join(r.Query["authorization"], ""))
}

func (a tokens) Verify(_ context.Context, token string) (sumu.Identity, error) {
	if id, ok := a[token]; ok {
		return id, nil
	}
	return sumu.Identity{}, &sumu.Error{Op: "token", Kind: sumu.ErrUnauthorized, Err: errors.New("inside")}
}

func connect(t testing.TB, app *sumu.App, id, token string) (sumu.Session, error) {
	t.Helper()
	return app.Connect(t.Context(), &sumu.ConnectRequest{
		ConnectionID: id, Query: map[string][]string{"authorization": {token}},
	})
}

func TestRefresh(t *testing.T) {
	store := &memstore.Store{Now: func() time.Time { return now }}
	first := sumu.Identity{UserID: "ann", ExpiresAt: now.Add(time.Minute)}
	second := sumu.Identity{UserID: "ann", ExpiresAt: now.Add(time.Hour)}
	auth := tokens{"first": first, "second": second, "bob": {UserID: "bob"}, "odd": {UserID: "ann", Claims: map[string]string{"org": "\xff"}}}
	app := newApp(t, auth, store, func(o *sumu.AppOptions) { o.Refresh = true })
	s, err := connect(t, app, "c1", "first")
	if err != nil {
		t.Fatal(err)
	}
	var set []sumu.Identity
	frame := func(body string) []byte {
		return app.Message(t.Context(), sumu.Message{
			Connection: s.Connection, Identity: s.Identity, Body: []byte(body), RequestID: "r1",
			SetIdentity: func(id sumu.Identity) { set = append(set, id) },
		})
	}
	for token, want := range map[string]string{
		`"third"`:   `{"type":"error","action":"refresh","code":"forbidden","message":"the token was not accepted"}`,
		`"odd"`:     `{"type":"error","action":"refresh","code":"forbidden","message":"the token was not accepted"}`,
		`"bob"`:     `{"type":"error","action":"refresh","code":"forbidden","message":"the token is another user's"}`,
		`7`:         `{"type":"error","action":"refresh","code":"bad_request","message":"token is not a string"}`,
		`""`:        `{"type":"error","action":"refresh","code":"bad_request","message":"token is not a string"}`,
		`"first" }`: `{"message":"Forbidden","connectionId":"c1","requestId":"r1"}`,
	} {
		wantJSON(t, frame(`{"action":"refresh","token":`+token+`}`), want)
	}
	if len(set) != 0 {
		t.Fatalf("a refused token was taken: %v", set)
	}
	wantJSON(t, frame(`{"action":"refresh","ref":"9","token":"second"}`), `{"type":"ack","action":"refresh","ref":"9","id":"r1"}`)
	if len(set) != 1 || !set[0].ExpiresAt.Equal(second.ExpiresAt) {
		t.Errorf("the connection got %v, want the second token's identity", set)
	}
	c, err := store.Get(t.Context(), s.Connection.Ref())
	if err != nil || !c.AuthExpiresAt.Equal(second.ExpiresAt.Truncate(time.Second)) {
		t.Errorf("the row expires at %v, %v; want the second token's expiry", c.AuthExpiresAt, err)
	}

	// A transport that cannot says so, and so does a row that is gone.
	m := sumu.Message{Connection: s.Connection, Body: []byte(`{"action":"refresh","token":"second"}`)}
	wantJSON(t, app.Message(t.Context(), m), `{"type":"error","action":"refresh","code":"bad_request",
		"message":"this connection cannot take a new token; connect again"}`)
	if err := store.Delete(t.Context(), s.Connection.Ref()); err != nil {
		t.Fatal(err)
	}
	frame(`{"action":"refresh","token":"second"}`)
	if len(set) != 1 {
		t.Error("a connection without a row took a token")
	}
}

func TestRefreshIsOffByDefault(t *testing.T) {
	app := newApp(t, tokens{"t": {UserID: "ann"}}, new(fakeStore))
	wantJSON(t, app.Message(t.Context(), sumu.Message{Body: []byte(`{"action":"refresh","token":"t"}`), RequestID: "r"}),
		`{"message":"Forbidden","connectionId":"","requestId":"r","action":"refresh"}`)
}

func TestRevoke(t *testing.T) {
	store := new(memstore.Store)
	auth := tokens{
		"old":     {UserID: "ann", IssuedAt: time.Now().Add(-time.Hour)},
		"new":     {UserID: "ann", IssuedAt: time.Now().Add(time.Minute)},
		"undated": {UserID: "ann"},
		"bob":     {UserID: "bob", IssuedAt: time.Now().Add(-time.Hour)},
	}
	app, err := sumu.NewApp(auth, store, func(o *sumu.AppOptions) { o.Revocations = store; o.Refresh = true })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, app, "c1", "old"); err != nil {
		t.Fatalf("before the revocation: %v", err)
	}
	if err := sumu.Revoke(t.Context(), store, "ann", time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	// An earlier revocation does not undo a later one.
	if err := sumu.Revoke(t.Context(), store, "ann", time.Now().Add(-2*time.Hour), time.Minute); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]error{"old": sumu.ErrUnauthorized, "undated": sumu.ErrUnauthorized, "new": nil, "bob": nil} {
		if _, err := connect(t, app, "c-"+token, token); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", token, err, want)
		}
	}
	reply := app.Message(t.Context(), sumu.Message{
		Connection:  sumu.Connection{UserID: "ann", ID: "c1"},
		Body:        []byte(`{"action":"refresh","token":"old"}`),
		SetIdentity: func(sumu.Identity) { t.Error("a revoked token was taken") },
	})
	wantJSON(t, reply, `{"type":"error","action":"refresh","code":"forbidden","message":"the token was not accepted"}`)

	wantKind(t, sumu.Revoke(t.Context(), store, "", time.Now(), time.Hour), sumu.ErrInvalid)
	wantKind(t, sumu.Revoke(t.Context(), store, "ann", time.Now(), time.Millisecond), sumu.ErrInvalid)
}

func TestRevokeFromManySides(t *testing.T) {
	store := new(memstore.Store)
	var wg sync.WaitGroup
	latest := time.Now()
	for i := range 5 {
		wg.Go(func() {
			if err := sumu.Revoke(t.Context(), store, "ann", latest.Add(-time.Duration(i)*time.Hour), time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	auth := tokens{"t": {UserID: "ann", IssuedAt: latest.Add(-time.Second)}}
	app, err := sumu.NewApp(auth, store, func(o *sumu.AppOptions) { o.Revocations = store })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, app, "c1", "t"); !errors.Is(err, sumu.ErrUnauthorized) {
		t.Errorf("the latest revocation does not count: %v", err)
	}
}

// closer closes connections, and remembers what it was told.
type closer struct {
	gone  string
	fails string
	log   []string
}

func (c *closer) Post(_ context.Context, conn sumu.Connection, p *sumu.Payload) error {
	c.log = append(c.log, "post "+conn.ID+" "+string(p.Bytes()))
	return nil
}

func (c *closer) Disconnect(_ context.Context, conn sumu.Connection) error {
	switch conn.ID {
	case c.gone:
		return &sumu.Error{Op: "close", Kind: sumu.ErrGone}
	case c.fails:
		return &sumu.Error{Op: "close", Kind: sumu.ErrUnavailable}
	}
	c.log = append(c.log, "close "+conn.ID)
	return nil
}

func TestKick(t *testing.T) {
	store := new(memstore.Store)
	for _, id := range []string{"c1", "c2", "c3", "c4"} {
		if err := store.Put(t.Context(), sumu.Connection{UserID: "ann", ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Put(t.Context(), sumu.Connection{UserID: "bob", ID: "b1"}); err != nil {
		t.Fatal(err)
	}
	d := &closer{gone: "c2", fails: "c3"}
	closed, err := sumu.Kick(t.Context(), store, d, "ann")
	if closed != 2 {
		t.Errorf("%d closed, want 2", closed)
	}
	wantKind(t, err, sumu.ErrUnavailable)
	frame := string(sumu.ClosingFrame("kicked", "this connection was closed by the server"))
	want := []string{"post c1 " + frame, "close c1", "post c2 " + frame, "post c3 " + frame, "post c4 " + frame, "close c4"}
	if got := fmt.Sprint(d.log); got != fmt.Sprint(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: "c2"}); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("the row of a connection that is gone: %v, want ErrGone", err)
	}
}

func TestMaxConnections(t *testing.T) {
	store := &memstore.Store{Now: func() time.Time { return now }}
	auth := tokens{"ann": {UserID: "ann"}}
	refusing := newApp(t, auth, store, func(o *sumu.AppOptions) { o.MaxConnections = 2 })
	for i, want := range []error{nil, nil, sumu.ErrLimit} {
		if _, err := connect(t, refusing, fmt.Sprintf("c%d", i), "ann"); !errors.Is(err, want) {
			t.Errorf("connection %d: %v, want %v", i, err, want)
		}
	}
	if _, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: "c2"}); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("a refused connection left a row: %v", err)
	}
	evicting := newApp(t, auth, store, func(o *sumu.AppOptions) { o.MaxConnections, o.EvictOldest = 2, true })
	s, err := connect(t, evicting, "c3", "ann")
	if err != nil || len(s.Evicted) != 1 || s.Evicted[0].ID != "c0" {
		t.Errorf("evicted %v, %v; want c0", s.Evicted, err)
	}
}

func TestOptionsThatNeedAPower(t *testing.T) {
	for name, fn := range map[string]func(*sumu.AppOptions){
		"MaxConnections": func(o *sumu.AppOptions) { o.MaxConnections = 1 },
		"Refresh":        func(o *sumu.AppOptions) { o.Refresh = true },
	} {
		_, err := sumu.NewApp(letIn(sumu.Identity{UserID: "ann"}), new(fakeStore), fn)
		wantKind(t, err, sumu.ErrUnsupported)
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	_, err := sumu.NewApp(letIn(sumu.Identity{}), new(memstore.Store), func(o *sumu.AppOptions) { o.EvictOldest = true })
	wantKind(t, err, sumu.ErrInvalid)
}

func TestRecordValidate(t *testing.T) {
	good := sumu.Record{Kind: "ticket", Key: "k", Rev: 1, DeleteAt: now}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func(*sumu.Record){
		"kind":        func(r *sumu.Record) { r.Kind = "" },
		"kind has 65": func(r *sumu.Record) { r.Kind = strings.Repeat("k", 65) },
		"key":         func(r *sumu.Record) { r.Key = "" },
		"rev":         func(r *sumu.Record) { r.Rev = 0 },
		"expire":      func(r *sumu.Record) { r.DeleteAt = time.Time{} },
		"value":       func(r *sumu.Record) { r.Value = make([]byte, sumu.MaxRecordValue+1) },
	} {
		r := good
		edit(&r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
