package sumutest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/sumutest"
)

func TestConnFailsWhenNothingComes(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t, simple, impatient)
	ann := env.Connect(t, "ann")
	wantFailure(t, func(tb testing.TB) { ann.Next(tb) }, "ann", "nothing came in 50ms", "it has read no message")
	env.Notify(t, map[string]string{"type": "news"}, "ann")
	env.Settle(t)
	wantFailure(t, func(tb testing.TB) { ann.NextType(tb, "ack") }, `type "ack"`, "nothing came", `{"type":"news"}`)
	wantFailure(t, func(tb testing.TB) { ann.Expect(tb, `1`) }, "want 1", "nothing came", `{"type":"news"}`)
	wantFailure(t, func(tb testing.TB) { ann.Await(tb, `1`) }, "want 1", "nothing came", `it has read 1:`)
	wantFailure(t, func(tb testing.TB) { ann.Closed(tb) }, "want it closed", "nothing came")
	for i := range 3 { // The connection is as good as before.
		env.Notify(t, i, "ann")
	}
	ann.Expect(t, `0`)
	ann.Await(t, `2`)
	ann.ExpectNothing(t)
}

func TestConnExpect(t *testing.T) {
	env := sumutest.New(t, simple)
	ann := env.Connect(t, "ann")
	for _, tt := range []struct {
		sent any
		want string
		same bool
	}{
		{map[string]any{"a": 1, "b": []int{2}}, "{\"b\": [2],\n \"a\": 1}", true},
		{map[string]any{"a": 1}, `{"a":2}`, false},
		{map[string]any{"a": 1}, `{"a":1,"b":null}`, false},
		{uint64(1<<63 + 1), `9223372036854775809`, true},
		{uint64(1<<63 + 1), `9223372036854775808`, false},
		{1, `1 2`, false},
		{"hi", `hi`, false},
	} {
		env.Notify(t, tt.sent, "ann")
		if tt.same {
			ann.Expect(t, tt.want)
			continue
		}
		wantFailure(t, func(tb testing.TB) { ann.Expect(tb, tt.want) }, "got ", "want "+tt.want)
	}
}

func TestConnExpectNothing(t *testing.T) {
	env := sumutest.New(t, simple)
	env.App.Handle("tell", func(ctx context.Context, m sumu.Message) ([]byte, error) {
		return []byte(`"told"`), env.Client.Send(ctx, sumu.Notification{
			ID: "1", Users: []string{"bob"}, Data: m.Field("message"),
		})
	})
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")
	ann.ExpectNothing(t)
	ann.Send(t, `{"action":"tell","message":"hi"}`)
	// The reply was not waited for, but it is on its way.
	wantFailure(t, func(tb testing.TB) { ann.ExpectNothing(tb) }, `"told"`)
	wantFailure(t, func(tb testing.TB) { bob.ExpectNothing(tb) }, `"hi"`)
	bob.ExpectNothing(t)
	bob.Close(t)
	wantFailure(t, func(tb testing.TB) { bob.ExpectNothing(tb) }, "want no message, but it was closed with 1000")
}

// A post that hangs is not settled, and absence cannot be told.
func TestSettleWaitsForPosts(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t, simple, impatient)
	ann := env.Connect(t, "ann")
	env.Settle(t) // Nothing was ever sent.
	hang := env.Sender.HangNext()
	env.Notify(t, 1, "ann")
	hang.Wait(t)
	wantFailure(t, func(tb testing.TB) { ann.ExpectNothing(tb) }, "1 notifications are not settled in 50ms", "0 posts")
	hang.Release()
	ann.Expect(t, "1")
	env.Settle(t)
}

func TestConnEnds(t *testing.T) {
	leak.Check(t)
	reasons := make(chan sumu.DisconnectReason, 1)
	env := sumutest.New(t, simple, func(o *sumutest.Options) {
		o.App = func(a *sumu.AppOptions) {
			a.Observer.Disconnected = func(_ context.Context, _ sumu.Connection, r sumu.DisconnectReason, _ error) {
				reasons <- r
			}
		}
	})
	for want, end := range map[int]func(*sumutest.Conn){
		1000: func(c *sumutest.Conn) { c.Close(t) },
		1006: func(c *sumutest.Conn) { c.Cut(t) },
		1001: func(c *sumutest.Conn) { // Idle.
			env.Clock.Advance(10 * time.Minute)
			if code, reason := c.Closed(t); code != 1001 || !strings.Contains(reason, "idle") {
				t.Errorf("closed with %d %q", code, reason)
			}
		},
	} {
		ann := env.Connect(t, "ann")
		end(ann)
		if live, err := env.Store.HasLive(t.Context(), "ann"); live || err != nil {
			t.Errorf("%d: a row is left (%v)", want, err)
		}
		if r := <-reasons; r.Code != want {
			t.Errorf("ended with %v, want %d", r, want)
		}
		wantFailure(t, func(tb testing.TB) { ann.Next(tb) }, "want a message, but it was closed with")
		wantFailure(t, func(tb testing.TB) { ann.Close(tb) }, "close")
	}
}

func TestConnRefreshesItsToken(t *testing.T) {
	env := sumutest.New(t, func(o *sumutest.Options) {
		o.App = func(a *sumu.AppOptions) { a.Refresh = true }
	})
	ann := env.Connect(t, "ann")
	ann.Send(t, `{"action":"refresh","token":"`+env.Issuer.Hostile("ann")[0].Token+`"}`)
	if got := ann.NextType(t, "error"); !strings.Contains(got, `"code":"forbidden"`) {
		t.Errorf("refused with %s", got)
	}
	env.Clock.Advance(30 * time.Minute)
	ann.Send(t, `{"action":"refresh","token":"`+env.Issuer.Token("ann")+`"}`)
	ann.NextType(t, "ack")
	row, err := env.Store.Get(t.Context(), ann.Connection.Ref())
	if got := row.AuthExpiresAt.Sub(ann.Connection.AuthExpiresAt); got != 30*time.Minute || err != nil {
		t.Errorf("the token expires %v later (%v), want 30m", got, err)
	}
}

func TestConnIsToldWhyItIsClosed(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t, simple, func(o *sumutest.Options) {
		o.App = func(a *sumu.AppOptions) { a.MaxConnections, a.EvictOldest = 1, true }
	})
	first := env.Connect(t, "ann")
	env.Clock.Advance(time.Second)
	second := env.Connect(t, "ann")
	if code, _ := first.Closed(t); code != 4002 {
		t.Errorf("replaced with %d, want 4002", code)
	}
	if n, err := sumu.Kick(t.Context(), env.Store, env.Sender, "ann"); n != 1 || err != nil {
		t.Fatalf("kicked %d: %v", n, err)
	}
	if code, _ := second.Closed(t); code != 4001 {
		t.Errorf("kicked with %d, want 4001", code)
	}
	for code, c := range map[string]*sumutest.Conn{"replaced": first, "kicked": second} {
		if got := c.Received(); len(got) != 1 || !strings.Contains(got[0], `"code":"`+code+`"`) {
			t.Errorf("%s: it was told %q", code, got)
		}
	}
	if d := env.Sender.Disconnected(); len(d) != 1 || d[0].ID != second.ID() {
		t.Errorf("disconnected %v", d)
	}
}

// A server may send a message in several frames.
func TestConnReadsLongMessages(t *testing.T) {
	env := sumutest.New(t, simple)
	ann := env.Connect(t, "ann")
	for _, n := range []int{0, 1, 32 << 10, 100_000, sumu.MaxPayload - 2} {
		env.Notify(t, strings.Repeat("x", n), "ann")
		if got := ann.Next(t); len(got) != n+2 {
			t.Fatalf("%d bytes came of %d", len(got), n+2)
		}
	}
	ann.ExpectNothing(t)
	for range 1000 { // No limit of messages bothers a test.
		ann.Send(t, `{"action":"keepalive"}`)
	}
	ann.ExpectNothing(t)
}
