package memstore_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// sizes are tables of n connections: of users with two each, or all of one.
var sizes = []struct {
	name string
	n    int
	user func(i int) string
}{
	{"1e3", 1e3, pairs},
	{"1e5", 1e5, pairs},
	{"1e6", 1e6, pairs},
	{"1e5 of one user", 1e5, func(int) string { return "guest" }},
	{"1e6 of one user", 1e6, func(int) string { return "guest" }},
}

func pairs(i int) string { return fmt.Sprint("user-", i/2) }

func row(user string, i int) sumu.Connection {
	return sumu.Connection{
		UserID:      user,
		ID:          fmt.Sprintf("%08x-conn=", uint32(i)*2654435761), // In no order.
		Endpoint:    "https://node-1.example.com",
		ConnectedAt: start.Add(time.Duration(i) * time.Millisecond),
		DeleteAt:    start.Add(time.Duration(i%7200) * time.Second),
	}
}

// filled returns a store with n rows, and the rows.
func filled(b *testing.B, n int, user func(i int) string) (*memstore.Store, []sumu.Connection) {
	b.Helper()
	s := &memstore.Store{Now: func() time.Time { return start.Add(-time.Second) }}
	rows := make([]sumu.Connection, n)
	for i := range rows {
		rows[i] = row(user(i), i)
	}
	put(b, s, rows...)
	return s, rows
}

func BenchmarkPutDelete(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				c := rows[i%len(rows)]
				if err := s.Delete(ctx, c.Ref()); err != nil {
					b.Fatal(err)
				}
				if err := s.Put(ctx, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParallelPutDelete is that of writers of many users at a time.
func BenchmarkParallelPutDelete(b *testing.B) {
	s, rows := filled(b, 1e5, pairs)
	var writers atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := int(writers.Add(1))
		for pb.Next() {
			i += 7919
			c := rows[i%len(rows)]
			_ = s.Delete(context.Background(), c.Ref())
			_ = s.Put(context.Background(), c)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				if _, err := s.Get(ctx, rows[i%len(rows)].Ref()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHasLive(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				if ok, err := s.HasLive(ctx, rows[i%len(rows)].UserID); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkByUser(b *testing.B) {
	for _, size := range sizes[:3] {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				n := 0
				for range s.ByUser(ctx, rows[i%len(rows)].UserID) {
					n++
				}
				if n != 2 {
					b.Fatal(n)
				}
			}
		})
	}
}

func BenchmarkAll(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for range s.All(ctx, sumu.Segment{}) {
					n++
				}
				if n != len(rows) {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.n), "ns/row")
		})
	}
}

// BenchmarkSweepNothing is a sweep that finds no expired row.
func BenchmarkSweepNothing(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, _ := filled(b, size.n, size.user)
			b.ReportAllocs()
			for b.Loop() {
				if n, err := s.SweepExpired(context.Background(), 0); n != 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkSweepOneIn7200 is the sweep of each second, of rows that live 2 h.
func BenchmarkSweepOneIn7200(b *testing.B) {
	for _, size := range sizes[1:] {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			now := start.Add(-time.Second)
			s.Now = func() time.Time { return now }
			for b.Loop() {
				now = now.Add(time.Second)
				if _, err := s.SweepExpired(context.Background(), 0); err != nil {
					b.Fatal(err)
				}
				if now.After(start.Add(7200 * time.Second)) {
					b.StopTimer()
					now = start.Add(-time.Second)
					put(b, s, rows...)
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkMemory reports the bytes of a connection beside its strings.
func BenchmarkMemory(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			rows := make([]sumu.Connection, size.n)
			for i := range rows {
				rows[i] = row(size.user(i), i)
			}
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				s := new(memstore.Store)
				put(b, s, rows...)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(size.n), "B/connection")
				runtime.KeepAlive(s)
			}
		})
	}
}

// BenchmarkPresenceMemory reports the bytes of a presence row beside the user's id.
func BenchmarkPresenceMemory(b *testing.B) {
	const n = 1e5
	rows := make([]sumu.PresenceRow, n)
	for i := range rows {
		rows[i] = sumu.PresenceRow{UserID: fmt.Sprint("user-", i), Status: sumu.Online, Seq: 1, At: start}
	}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := new(memstore.Store)
		for _, row := range rows {
			if err := s.SavePresence(context.Background(), row); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/row")
		runtime.KeepAlive(s)
	}
}
