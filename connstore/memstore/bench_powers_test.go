package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// most returns how many connections each user of size has.
func most(n int, user func(i int) string) int {
	if user(0) == user(2) {
		return n
	}
	return 2
}

// BenchmarkPutCapped deletes and puts a row, of users who reach their cap with
// it: it is [BenchmarkPutDelete] and the counting.
func BenchmarkPutCapped(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			limit := most(size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				c := rows[i%len(rows)]
				if err := s.Delete(ctx, c.Ref()); err != nil {
					b.Fatal(err)
				}
				if _, err := s.PutCapped(ctx, c, limit, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPutCappedRefused puts one row too many.
func BenchmarkPutCappedRefused(b *testing.B) {
	for _, expired := range []string{"nothing has expired", "one row has expired"} {
		for _, size := range sizes {
			b.Run(expired+"/"+size.name, func(b *testing.B) {
				s, rows := filled(b, size.n, size.user)
				limit := most(size.n, size.user)
				if expired == "one row has expired" {
					c := row(rows[0].UserID, -1)
					c.DeleteAt = start.Add(-time.Hour)
					put(b, s, c)
				}
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					_, err := s.PutCapped(ctx, sumu.Connection{UserID: rows[0].UserID, ID: "z"}, limit, false)
					if !errors.Is(err, sumu.ErrLimit) {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkPutCappedEvicting puts rows of one user who is at the cap.
func BenchmarkPutCappedEvicting(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			limit := most(size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			i := size.n
			for b.Loop() {
				i++
				if evicted, err := s.PutCapped(ctx, row(rows[0].UserID, i), limit, true); err != nil || len(evicted) != 1 {
					b.Fatal(len(evicted), err)
				}
			}
		})
	}
}

// BenchmarkTouchRefresh renews a row, as every keepalive and every new token does.
func BenchmarkTouchRefresh(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			s, rows := filled(b, size.n, size.user)
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				c := rows[i%len(rows)]
				if err := s.Touch(ctx, c.Ref(), c.DeleteAt); err != nil {
					b.Fatal(err)
				}
				if err := s.Refresh(ctx, c.Ref(), c.DeleteAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRecord saves, loads and deletes a record of 100 bytes, one of many.
func BenchmarkRecord(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 1e6} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, records := saved(b, n)
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				r := records[i%n]
				if err := s.DeleteRecord(ctx, r.Kind, r.Key, 1); err != nil {
					b.Fatal(err)
				}
				if err := s.SaveRecord(ctx, r); err != nil {
					b.Fatal(err)
				}
				if got, err := s.LoadRecord(ctx, r.Kind, r.Key); err != nil || got.Rev != 1 {
					b.Fatal(got, err)
				}
			}
		})
	}
}

// BenchmarkRecordMemory reports the bytes of a record beside its key and value.
func BenchmarkRecordMemory(b *testing.B) {
	const n = 1e5
	var before, after runtime.MemStats
	for b.Loop() {
		_, records := saved(b, n)
		for i := range records {
			records[i].Value = nil
		}
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := new(memstore.Store)
		save(b, s, records)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/record")
		runtime.KeepAlive(s)
		runtime.KeepAlive(records)
	}
}

// saved returns a store with n records, and the records.
func saved(b *testing.B, n int) (*memstore.Store, []sumu.Record) {
	b.Helper()
	s := new(memstore.Store)
	records := make([]sumu.Record, n)
	for i := range records {
		records[i] = sumu.Record{
			Kind: "ticket", Key: fmt.Sprintf("%08x-key", uint32(i)*2654435761), Value: make([]byte, 100),
			Rev: 1, DeleteAt: time.Now().Add(time.Hour),
		}
	}
	save(b, s, records)
	return s, records
}

func save(b *testing.B, s *memstore.Store, records []sumu.Record) {
	b.Helper()
	for _, r := range records {
		if err := s.SaveRecord(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}
