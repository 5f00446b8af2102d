package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/internal/leak"
)

// forgetful is a memstore that writes down what it is asked to forget, and does
// not forget by itself.
type forgetful struct {
	*memstore.Store
	failing map[string]error // by connection id

	mu     sync.Mutex
	forgot []string
	read   int
}

func (f *forgetful) Get(ctx context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read++
	if err := f.failing[ref.ConnectionID]; err != nil {
		return sumu.Connection{}, err
	}
	return f.Store.Get(ctx, ref)
}

func (f *forgetful) Forget(_ context.Context, ref sumu.ConnectionRef) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgot = append(f.forgot, ref.ConnectionID)
	return f.failing["forget "+ref.ConnectionID]
}

func change(id string) sumu.Change { return sumu.Change{UserID: "ann", ConnectionID: id} }

func TestCleanerForgetsWhatHasNoRow(t *testing.T) {
	leak.Check(t)
	store := &forgetful{Store: new(memstore.Store)}
	if err := store.Put(t.Context(), sumu.Connection{UserID: "ann", ID: "open"}); err != nil {
		t.Fatal(err)
	}
	cleaner, err := sweep.NewCleaner(store)
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := cleaner.Observe(t.Context(), change("gone"), change("open"), change("gone"), change(""), change("other"))
	if err != nil || len(outcomes) != 5 || errors.Join(outcomes...) != nil {
		t.Errorf("Observe returns %v, %v", outcomes, err)
	}
	slices.Sort(store.forgot)
	if !slices.Equal(store.forgot, []string{"gone", "other"}) || store.read != 3 {
		t.Errorf("it forgot %q after %d reads, want gone and other after 3", store.forgot, store.read)
	}
}

func TestCleanerNamesTheChangeThatFailed(t *testing.T) {
	leak.Check(t)
	store := &forgetful{Store: new(memstore.Store), failing: map[string]error{
		"c3": sumu.ErrThrottled, "forget c7": sumu.ErrUnavailable,
	}}
	cleaner, err := sweep.NewCleaner(store)
	if err != nil {
		t.Fatal(err)
	}
	var changes []sumu.Change
	for i := range 40 {
		changes = append(changes, change(fmt.Sprint("c", i%20)))
	}
	outcomes, err := cleaner.Observe(t.Context(), changes...)
	if !errors.Is(err, sumu.ErrThrottled) || !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("the joined error is %v", err)
	}
	for i, outcome := range outcomes {
		want := map[int]error{3: sumu.ErrThrottled, 7: sumu.ErrUnavailable}[i%20]
		if !errors.Is(outcome, want) {
			t.Errorf("change %d ends with %v, want %v", i, outcome, want)
		}
	}
	if len(store.forgot) != 19 {
		t.Errorf("it forgot %d connections, want 19", len(store.forgot))
	}
}

func TestCleanerAsksNothingOfAStoreWithoutAttachments(t *testing.T) {
	cleaner, err := sweep.NewCleaner(struct{ sumu.Store }{nil}) // Any call would panic.
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := cleaner.Observe(t.Context(), change("c1"), change("c2"))
	if err != nil || len(outcomes) != 2 {
		t.Errorf("Observe returns %v, %v", outcomes, err)
	}
	if _, err := sweep.NewCleaner(nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("a cleaner of nothing: %v", err)
	}
}

func ExampleNewCleaner() {
	ctx := context.Background()
	store := new(memstore.Store)
	cleaner, err := sweep.NewCleaner(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	// With awslambda: the handler of the connections table's stream, beside the
	// presence watcher, with sumu.Watchers(presence, cleaner).
	_, err = cleaner.Observe(ctx, sumu.Change{UserID: "ann", ConnectionID: "c1"})
	fmt.Println(err)
	// Output:
	// <nil>
}

// panicky panics when it is asked about a connection "bad".
type panicky struct{ *memstore.Store }

func (p panicky) Get(ctx context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	if ref.ConnectionID == "bad" {
		panic("a store's fault")
	}
	return p.Store.Get(ctx, ref)
}

func TestCleanerOutlivesAPanicOfTheStore(t *testing.T) {
	leak.Check(t)
	c, err := sweep.NewCleaner(panicky{new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := c.Observe(t.Context(),
		sumu.Change{UserID: "ann", ConnectionID: "bad"}, sumu.Change{UserID: "ann", ConnectionID: "good"})
	if err == nil || outcomes[0] == nil || outcomes[1] != nil {
		t.Errorf("outcomes %v, %v; want the first alone to have failed", outcomes, err)
	}
}
