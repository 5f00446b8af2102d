package lead_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/lead"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// office counts who leads, and can take the store away from a process.
type office struct {
	sumu.StateStore
	mu      sync.Mutex
	leaders map[string]int // by name: how often it began
	leading map[string]bool
	most    int
}

func newOffice(store sumu.StateStore) *office {
	return &office{StateStore: store, leaders: make(map[string]int), leading: make(map[string]bool)}
}

func (o *office) lead(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		o.mu.Lock()
		o.leaders[name]++
		o.leading[name] = true
		o.most = max(o.most, len(o.leading))
		o.mu.Unlock()
		<-ctx.Done()
		o.mu.Lock()
		delete(o.leading, name)
		o.mu.Unlock()
		return ctx.Err()
	}
}

func (o *office) now() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for name := range o.leading {
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// cut is a store that can be out of reach, or lose its answers.
type cut struct {
	sumu.StateStore
	mu   sync.Mutex
	down bool
	lose int // answers of writes
}

var errDown = errors.New("down")

func (c *cut) set(down bool, lose int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down, c.lose = down, lose
}

func (c *cut) LoadRecord(ctx context.Context, kind, key string) (sumu.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return sumu.Record{}, errDown
	}
	return c.StateStore.LoadRecord(ctx, kind, key)
}

func (c *cut) SaveRecord(ctx context.Context, r sumu.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return errDown
	}
	err := c.StateStore.SaveRecord(ctx, r)
	if c.lose > 0 {
		c.lose--
		return errDown
	}
	return err
}

func (c *cut) DeleteRecord(ctx context.Context, kind, key string, rev int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return errDown
	}
	return c.StateStore.DeleteRecord(ctx, kind, key, rev)
}

// start runs a candidate; end ends it and waits.
func start(t *testing.T, o *office, store sumu.StateStore, name string) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- lead.Run(ctx, store, "work", o.lead(name)) }()
	synctest.Wait()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run returns %v", err)
			}
		})
	}
	t.Cleanup(end)
	return end
}

func wantLeader(t *testing.T, o *office, want string) {
	t.Helper()
	synctest.Wait()
	if got := o.now(); got != want {
		t.Fatalf("%q leads, want %q", got, want)
	}
}

func TestOneLeadsAndAnotherFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(new(memstore.Store))
		endA := start(t, o, o, "a")
		endB := start(t, o, o, "b")
		for range 20 {
			wantLeader(t, o, "a")
			time.Sleep(10 * time.Second)
		}
		endA() // It gives the lead back: the next begins within Poll.
		time.Sleep(6 * time.Second)
		wantLeader(t, o, "b")
		endB()
		if o.most != 1 || o.leaders["a"] != 1 || o.leaders["b"] != 1 {
			t.Errorf("%d at a time, %v", o.most, o.leaders)
		}
	})
}

// One that is out of reach stops before another begins, and follows later.
func TestOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		o, line := newOffice(store), &cut{StateStore: store}
		endA := start(t, o, line, "a")
		wantLeader(t, o, "a")
		endB := start(t, o, store, "b")
		line.set(true, 0)
		time.Sleep(25 * time.Second)
		wantLeader(t, o, "b")
		line.set(false, 0)
		time.Sleep(time.Minute)
		wantLeader(t, o, "b")
		endB()
		time.Sleep(6 * time.Second)
		wantLeader(t, o, "a")
		endA()
		if o.most != 1 {
			t.Errorf("%d led at a time", o.most)
		}
	})
}

// The answer to a renewal that was lost does not cost the lead, one to the
// first write neither.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		o, line := newOffice(store), &cut{StateStore: store}
		line.set(false, 1)
		end := start(t, o, line, "a")
		wantLeader(t, o, "")
		time.Sleep(6 * time.Second)
		wantLeader(t, o, "a")
		line.set(false, 2)
		time.Sleep(time.Minute)
		wantLeader(t, o, "a")
		end()
		if o.leaders["a"] != 1 {
			t.Errorf("it began %v times", o.leaders)
		}
	})
}

func TestWhatReturnsEarlyIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		for _, want := range []error{errDown, nil} {
			if err := lead.Run(t.Context(), store, "work", func(context.Context) error { return want }); !errors.Is(err, want) {
				t.Errorf("Run returns %v, want %v", err, want)
			}
		}
		err := lead.Run(t.Context(), store, "work", func(context.Context) error { panic("secret") })
		var p *sumu.PanicError
		if !errors.As(err, &p) {
			t.Errorf("Run returns %v, want the panic", err)
		}
		if r, err := store.LoadRecord(t.Context(), "lead", "work"); err != nil || r.Rev != 0 {
			t.Errorf("the lead was not given back: %+v, %v", r, err)
		}
	})
}

func TestRunReportsEverything(t *testing.T) {
	err := lead.Run(t.Context(), nil, "", nil, func(o *lead.Options) { o.TTL, o.Poll = time.Second, time.Millisecond })
	for _, want := range []string{"StateStore is missing", "nothing to do", "TTL is 1s", "Poll is 1ms", "key"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

func ExampleRun() {
	store := new(memstore.Store) // For one process; a *dynamostore.StateStore for many.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := lead.Run(ctx, store, "presence", func(ctx context.Context) error {
		fmt.Println("leading")
		cancel() // Or watcher.Run(ctx, feed), until ctx ends.
		return nil
	})
	fmt.Println(err)
	// Output:
	// leading
	// <nil>
}
