// Package defects holds a test for every known defect of the serverless
// WebSocket stack that this module follows, so that none of them comes back.
// Each goes through public API, from end to end and in a few lines; the
// packages test the same things in depth. None needs anything but Go.
//
// What is a matter of infrastructure is tested where that is: that a mapping
// template escapes principalId and passes a message in the body rather than in
// the query string, and that the price of a 30 s ping is told. Here are the
// library's halves of the first two: whatever the user id is, a result is
// sound JSON, and a handler gets all of a message of 128 KiB. The third has
// none.
package defects_test

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/pusher"
)

// index says which tests hold a defect.
var index = []struct {
	defect string
	tests  []string
}{
	{"an expiry that is text, so that no row ever expires", []string{"TestDefectExpiryAsText"}},
	{"expired rows are pushed to and count as online", []string{"TestDefectExpiredRowsCount"}},
	{"the errors of posts are lost, but for 410", []string{"TestDefectPostErrorsLost", "TestDefectRefusedSenderLosesTargets"}},
	{"one bad record fails its batch", []string{"TestDefectBadRecordFailsItsBatch"}},
	{"a stale connection in two records fails both", []string{"TestDefectStaleConnectionTwice", "TestDefectPruningFailsThePush"}},
	{"more than 100 excluded users lose the broadcast", []string{"TestDefectManyExcludedUsers"}},
	{"a user's connections are read by the page, and only the first", []string{"TestDefectManyConnectionsOfAUser"}},
	{"a broadcast is read into memory and posted all at once", []string{"TestDefectBroadcastUnbounded"}},
	{"after a time-out everything is pushed again", []string{"TestDefectTimeoutRepeatsAll"}},
	{"ONLINE and OFFLINE come twice, late or never", []string{"TestDefectPresencePerDevice", "TestDefectPresenceFailureDropsTheBatch"}},
	{"what tokens claim is not checked, or wrongly", []string{
		"TestDefectAudienceList", "TestDefectEmptyAudienceList", "TestDefectClaimsUnchecked", "TestDefectNoExpiry", "TestDefectTrueDisablesExpiry",
	}},
	{"tokens are logged", []string{"TestDefectTokenLogged"}},
	{"no query string is a fault instead of a 401", []string{"TestDefectNoQueryString"}},
	{"an unknown kid is refused until the cache ends", []string{"TestDefectUnknownKeyID"}},
	{"a key of an unknown type takes all keys with it", []string{"TestDefectUnknownKeyType"}},
	{"the backend does not learn the connection", []string{"TestDefectBackendLacksTheConnection"}},
	{"a message has to fit into a query string", []string{"TestDefectMessageOf10KB"}},
	{"a user id is put into JSON as it is", []string{"TestDefectPrincipalUnescaped"}},
}

// The index and the tests agree, and each test says what it is about.
func TestIndex(t *testing.T) {
	written := make(map[string]bool)
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "TestDefect") {
				continue
			}
			written[fn.Name.Name] = true
			if fn.Doc == nil {
				t.Errorf("%s does not say which defect it holds", fn.Name.Name)
			}
		}
	}
	for _, row := range index {
		if len(row.tests) == 0 {
			t.Errorf("%s: nothing holds it", row.defect)
		}
		for _, name := range row.tests {
			if !written[name] {
				t.Errorf("%s: there is no %s", row.defect, name)
			}
			delete(written, name)
		}
	}
	for name := range written {
		t.Errorf("%s is not in the index", name)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// put writes a row that is an hour old and lives for another two.
func put(t testing.TB, s sumu.Store, user, id string) {
	t.Helper()
	err := s.Put(t.Context(), sumu.Connection{
		UserID: user, ID: id, ConnectedAt: time.Now().Add(-time.Hour), DeleteAt: time.Now().Add(2 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newPusher(t testing.TB, store sumu.Store, sender sumu.Sender, optFns ...func(*pusher.Options)) *pusher.Pusher {
	t.Helper()
	logs := func(o *pusher.Options) { o.Observer, o.Backoff = testlog.Observer(), time.Millisecond }
	return must(pusher.New(store, sender, append([]func(*pusher.Options){logs}, optFns...)...))
}

// pushOne pushes one notification, whose fields but Data are the test's.
func pushOne(t testing.TB, p sumu.Pusher, n sumu.Notification) sumu.Result {
	t.Helper()
	n.ID, n.Data = cmp.Or(n.ID, "n"), []byte(`1`)
	results, err := p.Push(t.Context(), n)
	if len(results) != 1 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	return results[0]
}

// queue keeps what workers send to it.
type queue struct {
	mu   sync.Mutex
	sent []sumu.Notification
}

func (q *queue) Requeue(_ context.Context, n sumu.Notification, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, n)
	return nil
}

// take empties the queue, as the deliveries of a transport.
func (q *queue) take(t testing.TB) []sumu.Delivery {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []sumu.Delivery
	for _, n := range q.sent {
		out = append(out, sumu.Delivery{Body: must(n.MarshalJSON()), MessageID: "q" + n.Key()})
	}
	q.sent = nil
	return out
}

// newWorker keeps its records beside the connections.
func newWorker(p *pusher.Pusher, store *memstore.Store, q *queue) *pusher.Worker {
	return must(pusher.NewWorker(p, q, func(o *pusher.WorkerOptions) { o.Records = store }))
}

// posts counts the posts to each connection, and the most at once. Post holds
// for as long as it is told to, and fails as it is told to.
type posts struct {
	hold time.Duration
	fail func(c sumu.Connection) error

	mu        sync.Mutex
	to        map[string]int // that were taken, by connection
	done      int
	now, most int
}

func (p *posts) Post(_ context.Context, c sumu.Connection, _ *sumu.Payload) error {
	p.mu.Lock()
	p.now++
	p.most = max(p.most, p.now)
	p.mu.Unlock()
	if p.hold > 0 {
		time.Sleep(p.hold) // Of the test's bubble.
	}
	var err error
	if p.fail != nil {
		err = p.fail(c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
	p.done++
	if err != nil {
		return err
	}
	if p.to == nil {
		p.to = make(map[string]int)
	}
	p.to[c.ID]++
	return nil
}

// wantOnce fails unless n connections got one post each, and no other any.
func (p *posts) wantOnce(t testing.TB, n int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.to) != n {
		t.Errorf("%d connections were posted to, want %d", len(p.to), n)
	}
	for id, times := range p.to {
		if times != 1 {
			t.Errorf("%s was posted to %d times", id, times)
		}
	}
}

// sqsEvent is an event of SQS whose messages are "m1", "m2", ….
func sqsEvent(bodies ...string) []byte {
	var records []string
	for i, body := range bodies {
		records = append(records, fmt.Sprintf(`{"messageId":"m%d","body":%q,"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:q"}`, i+1, body))
	}
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}
