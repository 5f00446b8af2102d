package presence

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/lead"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws/wstest"
	"github.com/sumu-live/sumu/presence"
)

const (
	leaseTTL = 3 * time.Second
	// patience bounds what a test waits for; nothing is paced by it.
	patience = 2 * time.Minute
)

var errDown = errors.New("down")

// world is a pair of tables, their stream, and what was published.
type world struct {
	t      *testing.T
	dynamo string
	number string
	client *dynamodb.Client
	stream *dynamodbstreams.Client
	store  *dynamostore.StateStore

	mu      sync.Mutex
	changed chan struct{} // closed and made anew with every event
	events  map[string][]sumu.PresenceEvent
	refused map[string]int // how many more publications of a user's events fail
	repeats int
}

var tablesNumber atomic.Int64

func newWorld(t *testing.T, dynamo string) *world {
	leak.Check(t)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := config(dynamo, &http.Client{Transport: transport})
	w := &world{
		t: t, dynamo: dynamo, number: fmt.Sprint(tablesNumber.Add(1)),
		client: dynamodb.NewFromConfig(cfg), stream: dynamodbstreams.NewFromConfig(cfg),
		changed: make(chan struct{}), events: make(map[string][]sumu.PresenceEvent), refused: make(map[string]int),
	}
	if err := dynamostore.CreateTables(t.Context(), w.client, tables(w.number)); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.store, err = dynamostore.NewWithState(w.client, tables(w.number)); err != nil {
		t.Fatal(err)
	}
	return w
}

// PublishPresence keeps the first publication of each event. A duplicate must be
// the same.
func (w *world) PublishPresence(_ context.Context, e sumu.PresenceEvent) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused[e.UserID] > 0 {
		w.refused[e.UserID]--
		return errDown
	}
	events := w.events[e.UserID]
	switch {
	case e.Version <= int64(len(events)):
		w.repeats++
		if first := events[e.Version-1]; !first.At.Equal(e.At) || first.Status != e.Status {
			w.t.Errorf("%s was %+v, now %+v", e.ID(), first, e)
		}
		return nil
	case e.Version != int64(len(events))+1:
		w.t.Errorf("%s follows version %d", e.ID(), len(events))
	}
	w.events[e.UserID] = append(events, e)
	close(w.changed)
	w.changed = make(chan struct{})
	return nil
}

// history is a user's events: "+" came, "-" went.
func (w *world) history(user string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var h strings.Builder
	for _, e := range w.events[user] {
		h.WriteString(map[sumu.Status]string{sumu.Online: "+", sumu.Offline: "-"}[e.Status])
	}
	return h.String()
}

// until waits for a user's events.
func (w *world) until(user, history string) {
	w.t.Helper()
	w.untilWithin(patience, user, history)
}

func (w *world) untilWithin(patience time.Duration, user, history string) {
	w.t.Helper()
	late := time.After(patience)
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		got := w.history(user)
		if got == history {
			return
		}
		if !strings.HasPrefix(history, got) {
			w.t.Fatalf("%s has %q, want %q", user, got, history)
		}
		select {
		case <-changed:
		case <-late:
			w.t.Fatalf("%s still has %q, want %q", user, got, history)
		}
	}
}

// want fails unless a user has exactly these events by now.
func (w *world) want(user, history string) {
	w.t.Helper()
	if got := w.history(user); got != history {
		w.t.Errorf("%s has %q, want %q", user, got, history)
	}
}

// watch runs a watcher over the stream, as one of many that could lead.
func (w *world) watch(name string, optFns ...func(*presence.Options)) (watcher *presence.Watcher, stop func()) {
	w.t.Helper()
	feed, err := dynamofeed.New(w.stream, w.client, func(o *dynamofeed.Options) {
		var names dynamostore.Options
		tables(w.number)(&names)
		o.Table, o.Positions, o.PollEvery, o.Logger = names.Connections, w.store, 20*time.Millisecond, testlog.Logger()
	})
	if err != nil {
		w.t.Fatal(err)
	}
	watcher, err = presence.New(w.store, w, append([]func(*presence.Options){func(o *presence.Options) {
		o.SweepEvery = -1 // The tests' own sweeper does.
		o.Logger = testlog.Logger()
	}}, optFns...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- lead.Run(ctx, w.store, "presence", func(ctx context.Context) error { return watcher.Run(ctx, feed) },
			func(o *lead.Options) {
				o.Node, o.TTL, o.Poll, o.Logger = name, 3*time.Second, 100*time.Millisecond, testlog.Logger()
			})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				w.t.Errorf("the watcher of %s: %v", name, err)
			}
		})
	}
	w.t.Cleanup(stop)
	return watcher, stop
}

// node is a gateway, or a watcher, in a process of its own.
type node struct {
	base string
	cmd  *exec.Cmd
}

func (w *world) node(name string, env ...string) *node {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVar+"="+name, tablesVar+"="+w.number, dynamoVar+"="+w.dynamo)
	cmd.Env = append(cmd.Env, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe() // It ends with us.
	if err != nil {
		w.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	n := &node{base: strings.TrimSpace(line), cmd: cmd}
	w.t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill() // Unless the test has done so.
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
	})
	if err != nil {
		w.t.Fatalf("node %s did not start: %v\n%s", name, err, stderr.String())
	}
	return n
}

// kill ends the node as a power cut does.
func (n *node) kill(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}

func (n *node) url(user string) string { return n.base + "/ws?user=" + url.QueryEscape(user) }

func (n *node) join(t *testing.T, user string) *wstest.Conn { return wstest.Dial(t, n.url(user)) }

// sweeper removes the rows of dead nodes.
func (w *world) sweeper(bases ...string) *sweep.Sweeper {
	w.t.Helper()
	s, err := sweep.New(w.store, func(o *sweep.Options) {
		o.Leases, o.Leased, o.Logger = w.store, sweep.NodesBelow(bases...), testlog.Logger()
		o.Takeover = leaseTTL / 2
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// agrees returns once presence agrees with the connections, so that there is
// nothing left to do: an event is noted as accepted a moment after it was.
func (w *world) agrees(watcher *presence.Watcher) {
	w.t.Helper()
	w.eventually("a reconciliation finds nobody", func() bool {
		n, err := watcher.Reconcile(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		return n == 0
	})
}
