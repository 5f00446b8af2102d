package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// roleStore is a process that fills a store with so many connections, its
// argument, and then asks it.
const roleStore = "role-store"

// growth is how much dearer a connection may be than one of ten times fewer
// before it counts as more than linear: the caches of a processor are worth as
// much.
const growth = 3.0

var (
	perPut      = in("ns CPU/put", "cheaper", "dearer")
	perLookup   = in("ns CPU/look-up of a user", "cheaper", "dearer")
	perScanned  = in("ns CPU/connection of a scan", "cheaper", "dearer")
	perHeldByte = in("B/connection", "smaller", "larger")
	perJoin     = in("ns CPU/join of one channel", "cheaper", "dearer")
	perMember   = in("ns CPU/member of that channel", "cheaper", "dearer")
	perJoinByte = in("B/member", "smaller", "larger")
)

// stored is what a store of one size took, for each connection.
type stored struct{ put, lookup, scan, bytes, join, members, joinBytes float64 }

// connectionsPerUser is how many each user of a filled store has.
const connectionsPerUser = 2

// addStore fills memstore with ten times as many connections, again and again.
func addStore(ctx context.Context, cfg *config, t *table) error {
	took := make(map[int][]stored)
	for range cfg.rounds {
		for n := smallestStore; n <= cfg.stored; n *= 10 {
			s, err := storeRound(ctx, n)
			if err != nil {
				return fmt.Errorf("store of %d: %w", n, err)
			}
			took[n] = append(took[n], s)
		}
	}
	figures := func(n int, of func(stored) float64) (f series) {
		for _, s := range took[n] {
			f = append(f, of(s))
		}
		return f
	}
	worst := 0.0
	for n := 10 * smallestStore; n <= cfg.stored; n *= 10 {
		for _, f := range []struct {
			scale scale
			of    func(stored) float64
		}{
			{perPut, func(s stored) float64 { return s.put }},
			{perLookup, func(s stored) float64 { return s.lookup }},
			{perScanned, func(s stored) float64 { return s.scan }},
			{perHeldByte, func(s stored) float64 { return s.bytes }},
			{perJoin, func(s stored) float64 { return s.join }},
			{perMember, func(s stored) float64 { return s.members }},
			{perJoinByte, func(s stored) float64 { return s.joinBytes }},
		} {
			r := row{
				name:  fmt.Sprintf("memstore of %s connections", grouped(int64(n))),
				peer:  fmt.Sprintf("itself with %s", grouped(int64(n/10))),
				scale: f.scale, ours: figures(n, f.of), theirs: figures(n/10, f.of),
			}
			t.add(r)
			worst = max(worst, r.ours.median()/r.theirs.median())
		}
	}
	t.goal("memstore, each decade against the one before", series{worst}, growth, in("times as dear", "", ""))
	return nil
}

// smallestStore has a thousand connections.
const smallestStore = 1000

func storeRound(ctx context.Context, n int) (s stored, err error) {
	c, err := startChild(ctx, roleStore, strconv.Itoa(n))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	took := func(do string, times float64) float64 {
		a, e := c.call(command{Do: do})
		err = errors.Join(err, e)
		if do == "memory" {
			return float64(a.Memory) / times
		}
		return float64(a.CPU.Nanoseconds()) / times
	}
	s.put = took("fill", float64(n))
	s.bytes = took("memory", float64(n))
	s.lookup = took("lookup", lookups)
	asked := float64(n) * math.Ceil(scanned/float64(n))
	s.scan = took("scan", asked)
	s.join = took("join", float64(n))
	s.joinBytes = took("memory", float64(n)) - s.bytes
	s.members = took("members", asked)
	return s, err
}

const (
	lookups = 100_000 // of users, one after another
	scanned = 100_000 // connections at least, in as many scans as it takes
)

// runStore fills a store of n connections and asks it. CPU and Memory of an
// answer are what the command took.
func runStore(n int) error {
	store := new(memstore.Store)
	begin, err := settledMemory()
	if err != nil {
		return err
	}
	ctx := context.Background()
	return obey(os.Stdin, os.Stdout, func(c command) (a answer, err error) {
		if c.Do == "memory" {
			a.Memory, err = settledMemory()
			a.Memory -= begin
			return a, err
		}
		before := cpuUsed()
		switch c.Do {
		case "fill":
			err = fillStore(ctx, store, n)
		case "lookup":
			err = lookUp(ctx, store, n)
		case "scan":
			err = countAgain(n, store.All(ctx, sumu.Segment{}))
		case "join":
			err = joinAll(ctx, store, n)
		case "members":
			err = countAgain(n, store.Members(ctx, room, ""))
		default:
			err = errors.New("no such command")
		}
		a.CPU = cpuUsed() - before
		return a, err
	})
}

func fillStore(ctx context.Context, store *memstore.Store, n int) error {
	now := time.Now()
	for i := range n {
		if err := store.Put(ctx, storeConnection(i, now)); err != nil {
			return err
		}
	}
	return nil
}

func storeConnection(i int, now time.Time) sumu.Connection {
	return sumu.Connection{
		UserID: storeUser(i / connectionsPerUser), ID: fmt.Sprintf("R0oX%010d=", i),
		ConnectedAt: now, DeleteAt: now.Add(24 * time.Hour),
	}
}

// joinAll makes all connections members of one channel.
func joinAll(ctx context.Context, store *memstore.Store, n int) error {
	now := time.Now()
	for i := range n {
		if err := store.Join(ctx, storeConnection(i, now), room, 0); err != nil {
			return err
		}
	}
	return nil
}

// countAgain reads all of n until it has read enough.
func countAgain[T any](n int, all iter.Seq2[T, error]) error {
	for seen := 0; seen < scanned; {
		found := 0
		for _, err := range all {
			if err != nil {
				return err
			}
			found++
		}
		if found != n {
			return fmt.Errorf("%d of %d were found", found, n)
		}
		seen += found
	}
	return nil
}

func storeUser(i int) string { return fmt.Sprintf("user-%08d", i) }

func lookUp(ctx context.Context, store *memstore.Store, n int) error {
	users := n / connectionsPerUser
	for i := range lookups {
		found := 0
		for _, err := range store.ByUser(ctx, storeUser(i*7919%users)) {
			if err != nil {
				return err
			}
			found++
		}
		if found != connectionsPerUser {
			return fmt.Errorf("a user has %d connections", found)
		}
	}
	return nil
}
