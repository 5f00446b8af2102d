package memstore_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// crowd returns a store with n connections, each of a user of its own.
func crowd(b *testing.B, n int) (*memstore.Store, []sumu.Connection) {
	b.Helper()
	s, conns := new(memstore.Store), make([]sumu.Connection, n)
	for i := range conns {
		conns[i] = sumu.Connection{UserID: fmt.Sprintf("user-%08d", i), ID: fmt.Sprintf("connection-%d", i), Endpoint: "https://node-1"}
		if err := s.Put(b.Context(), conns[i]); err != nil {
			b.Fatal(err)
		}
	}
	return s, conns
}

// One connection joins a channel of 15,000 and leaves it.
func BenchmarkJoinAndLeave(b *testing.B) {
	s, conns := crowd(b, 15_000)
	for _, c := range conns {
		if err := s.Join(b.Context(), c, "room", 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := conns[i%len(conns)]
		if err := s.Leave(b.Context(), c.Ref(), "room"); err != nil {
			b.Fatal(err)
		}
		if err := s.Join(b.Context(), c, "room", 50); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMembersOf15000(b *testing.B) {
	const n = 15_000
	s, conns := crowd(b, n)
	for _, c := range conns {
		if err := s.Join(b.Context(), c, "room", 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		found := 0
		for _, err := range s.Members(b.Context(), "room", "") {
			if err != nil {
				b.Fatal(err)
			}
			found++
		}
		if found != n {
			b.Fatalf("%d members", found)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/member")
}

func BenchmarkEventWith10000Subscribers(b *testing.B) {
	const n = 10_000
	s, conns := crowd(b, 2*n)
	for i, c := range conns { // Half of them want another value.
		sub := sumu.Subscription{EventType: "T", Field: "f", Filter: []string{"blue", "red"}[i%2], Fields: []string{"x"}}
		if err := s.Subscribe(b.Context(), c, 0, sub); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		e := sumu.NewEventReader(&sumu.Event{Type: "T", Payload: json.RawMessage(`{"f":"blue","x":1}`)})
		found := 0
		for _, err := range s.Subscribers(b.Context(), e, "") {
			if err != nil {
				b.Fatal(err)
			}
			found++
		}
		if found != n {
			b.Fatalf("%d subscribers", found)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/subscriber")
}
