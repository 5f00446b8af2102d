package iot

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/iot"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

// world is a deployment: everything between a backend and its clients.
type world struct {
	core   *core
	store  *memstore.Store
	plane  *iotdataplane.Client
	sender *iot.Sender
	client *notify.Local
	web    *httptest.Server // the page, and the vendor at /connect

	mu     sync.Mutex
	seen   []sumu.PresenceEvent
	pushed []sumu.Result
	heard  []sumu.BackendMessage
	change chan struct{} // closed and replaced when anything has happened
	deaf   bool          // lifecycle events are lost

	handled int // lifecycle events, without their repetitions
}

// grants are what the tokens of the tests stand for: a token is a user's name.
var grants = map[string]sumu.Grants{
	"ann": {{Pattern: "room.42", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}, {Pattern: "news", Verbs: []sumu.Verb{sumu.VerbJoin}}},
	"bob": {{Pattern: "room.42", Verbs: []sumu.Verb{sumu.VerbJoin}}},
	"eve": {{Pattern: "room.#", Verbs: []sumu.Verb{sumu.VerbJoin}}},
}

func authorize(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	user := strings.TrimPrefix(strings.Join(r.HeaderValues("Authorization"), ""), "Bearer ")
	if _, known := grants[user]; !known {
		return sumu.Identity{}, &sumu.Error{Op: "token", Kind: sumu.ErrUnauthorized}
	}
	return sumu.Identity{UserID: user, Grants: grants[user]}, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: new(memstore.Store), change: make(chan struct{})}
	service := startSTS(t)
	seen, err := iot.NewLifecycle(w.store, w.store, func(o *iot.LifecycleOptions) { o.RoleID = roleID })
	if err != nil {
		t.Fatal(err)
	}
	w.core = startCore(t, service, w.rule(t, seen))
	backend := func(_ context.Context, m sumu.BackendMessage) error {
		w.note(func() { w.heard = append(w.heard, m) })
		return nil
	}
	inbox, err := iot.NewInbox(map[string]sumu.Backend{iot.ActionPublish: backend, iot.ActionSend: backend})
	if err != nil {
		t.Fatal(err)
	}
	w.core.inbox = func(body []byte) {
		if err := inbox.Handle(context.Background(), body); err != nil {
			t.Error(err)
		}
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
	})
	w.plane = iotdataplane.New(iotdataplane.Options{
		Region: region, BaseEndpoint: &w.core.server.URL, Credentials: creds, HTTPClient: &http.Client{Transport: transport},
	})
	w.sender, err = iot.NewSender(w.plane, func(o *iot.SenderOptions) { o.AckTimeout = time.Second })
	if err != nil {
		t.Fatal(err)
	}
	push, err := pusher.New(w.store, w.sender, func(o *pusher.Options) {
		o.Observer.Pushed = func(_ context.Context, r sumu.Result) { w.note(func() { w.pushed = append(w.pushed, r) }) }
		o.PruneAge = -1 // Clients of tests do not live long.
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.client, err = notify.NewLocal(push); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.client.Close(context.Background()) })
	w.watch(t)

	vendor, err := iot.NewVendor(sumu.AuthorizerFunc(authorize), sts.New(sts.Options{
		Region: region, BaseEndpoint: &service.server.URL, Credentials: creds, HTTPClient: &http.Client{Transport: transport},
	}), roleARN, "ws"+strings.TrimPrefix(w.core.server.URL, "http"), func(o *iot.VendorOptions) {
		o.Region, o.Backend, o.Logger = region, true, slog.New(slog.NewTextHandler(t.Output(), nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/connect", vendor)
	mux.Handle("/", http.FileServer(http.Dir("../../examples/iot/page")))
	w.web = httptest.NewServer(mux)
	t.Cleanup(w.web.Close)
	return w
}

// rule hands events on one after the other, each twice, and the one before it
// once more in between: late, and out of order.
func (w *world) rule(t *testing.T, seen *iot.Lifecycle) func(event []byte) {
	events := make(chan []byte, 1000)
	var wg sync.WaitGroup
	wg.Go(func() {
		before := []byte(nil)
		for event := range events {
			for _, e := range [][]byte{event, before, event} {
				if e == nil {
					continue
				}
				if err := seen.Handle(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
			before = event
			w.note(func() { w.handled++ })
		}
	})
	t.Cleanup(func() {
		close(events)
		wg.Wait()
	})
	return func(event []byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.deaf {
			events <- event
		}
	}
}

func (w *world) watch(t *testing.T) {
	watcher, err := presence.New(w.store, sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		w.note(func() { w.seen = append(w.seen, e) })
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- watcher.Run(ctx, w.store) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
}

// note changes what is known and wakes who waits for it.
func (w *world) note(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
	close(w.change)
	w.change = make(chan struct{})
}

// until waits until done, which is asked whenever something has happened.
func (w *world) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		w.mu.Lock()
		change := w.change
		ok := done()
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-change:
		case <-limit:
			t.Fatalf("waited in vain: %s; presence %+v, pushes %+v", what, w.seen, w.pushed)
		}
	}
}

// rows are the ids of a user's connections.
func (w *world) rows(user string) (ids []string) {
	for c := range w.store.ByUser(context.Background(), user) {
		ids = append(ids, c.ID)
	}
	return ids
}

// vend asks for credentials as a client does.
func (w *world) vend(t *testing.T, token string) (status int, c iot.Credentials, message string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.web.URL+"/connect", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := w.web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct {
		iot.Credentials
		Message string `json:"message"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body.Credentials, body.Message
}

// connect is a client of a user, connected and with its row written.
func (w *world) connect(t *testing.T, user string) (*client, iot.Credentials) {
	t.Helper()
	status, creds, message := w.vend(t, user)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", user, status, message)
	}
	c, err := dial(t, creds.URL, creds.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	if !w.isDeaf() {
		w.until(t, "row of "+creds.ClientID, func() bool {
			return strings.Contains(fmt.Sprint(w.rows(user)), creds.ClientID)
		})
	}
	return c, creds
}

func (w *world) isDeaf() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deaf
}
