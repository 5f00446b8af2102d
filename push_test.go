package sumu_test

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sumu-live/sumu"
)

func TestNewPayloadLimit(t *testing.T) {
	for _, tt := range []struct {
		size int
		ok   bool
	}{{0, true}, {sumu.MaxPayload, true}, {sumu.MaxPayload + 1, false}} {
		data := bytes.Repeat([]byte{'x'}, tt.size)
		p, err := sumu.NewPayload(data)
		if !tt.ok {
			wantKind(t, err, sumu.ErrTooLarge)
			if p != nil {
				t.Errorf("%d bytes: got a payload beside the error", tt.size)
			}
			continue
		}
		if err != nil || !bytes.Equal(p.Bytes(), data) {
			t.Errorf("%d bytes: %v", tt.size, err)
		}
	}
}

func TestPayloadDerivesOncePerKey(t *testing.T) {
	type hashKey struct{}
	type frameKey struct{ compressed bool }
	p, err := sumu.NewPayload([]byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	var calls [3]atomic.Int32
	keys := []any{hashKey{}, frameKey{false}, frameKey{true}}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i, key := range keys {
				got := p.Derived(key, func(data []byte) any {
					calls[i].Add(1)
					return string(data) + string(rune('0'+i))
				})
				if want := "data" + string(rune('0'+i)); got != want {
					t.Errorf("key %d: got %v, want %v", i, got, want)
				}
			}
		})
	}
	wg.Wait()
	for i := range calls {
		if n := calls[i].Load(); n != 1 {
			t.Errorf("key %d was derived %d times, want once", i, n)
		}
	}
}

func TestPayloadSurvivesAPanicWhileDeriving(t *testing.T) {
	p, err := sumu.NewPayload([]byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the caller")
			}
		}()
		p.Derived("key", func([]byte) any { panic("no") })
	}()
	// Neither locked for ever, nor remembered as derived.
	if got := p.Derived("key", func([]byte) any { return 1 }); got != 1 {
		t.Errorf("after the panic: got %v, want 1", got)
	}
}

func TestResultRefused(t *testing.T) {
	some := []sumu.Notification{{ID: "n1"}}
	err := errors.New("x")
	for _, tt := range []struct {
		name string
		r    sumu.Result
		want bool
	}{
		{"all went well", sumu.Result{Targets: 1, Delivered: 1}, false},
		{"no targets", sumu.Result{}, false},
		{"refused", sumu.Result{Err: err}, true},
		{"cut short", sumu.Result{Err: err, Remainder: some}, false},
		{"given up", sumu.Result{Err: err, GivenUp: some}, false},
		{"stopped after some", sumu.Result{Err: err, Targets: 1, Failed: 1}, false},
	} {
		if got := tt.r.Refused(); got != tt.want {
			t.Errorf("%s: Refused() = %v, want %v", tt.name, got, tt.want)
		}
	}
}
