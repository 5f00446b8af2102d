package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/pusher/apigw"
)

const (
	// broadcastNodes is how many endpoints the targets are spread over.
	broadcastNodes = 6
	broadcastSize  = 200 // bytes

	inBatches   = "in batches"
	oneByOne    = "one by one"
	mostSingles = 100_000 // targets of the longest broadcast without batches
)

// addBroadcast pushes one notification to ever more targets, each time in a
// process of its own, whose peak of memory must not grow with them. The targets
// are a stream that nobody holds; the nodes are a server that takes everything,
// and is charged to nobody.
func addBroadcast(ctx context.Context, cfg *config, t *table) (err error) {
	ctx, cancel := context.WithTimeout(ctx, sessionLimit)
	defer cancel()
	nodes, err := startChild(ctx, roleNodes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, nodes.stop()) }()
	a, err := nodes.call(command{Do: "address"})
	if err != nil {
		return err
	}
	sizes := []int{1_000, 10_000, 100_000, 1_000_000}
	if cfg.smoke {
		sizes = []int{100, 2_000}
	}
	for _, kind := range []string{inBatches, oneByOne} {
		for _, targets := range sizes {
			if kind == oneByOne && targets > mostSingles {
				continue
			}
			if err := broadcastRound(ctx, t, nodes, a.Address, kind, targets); err != nil {
				return fmt.Errorf("broadcast to %d %s: %w", targets, kind, err)
			}
		}
	}
	return nil
}

func broadcastRound(ctx context.Context, t *table, nodes *child, address, kind string, targets int) (err error) {
	if _, err := nodes.call(command{Do: "forget"}); err != nil {
		return err
	}
	p, err := startChild(ctx, roleBroadcaster)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	// Opens the connections, and lets the process grow to its size.
	if _, err := p.call(command{Do: "broadcast", Address: address, Kind: kind, Sockets: 100}); err != nil {
		return err
	}
	if _, err := nodes.call(command{Do: "forget"}); err != nil {
		return err
	}
	began := time.Now()
	a, err := p.call(command{Do: "broadcast", Address: address, Kind: kind, Sockets: targets})
	if err != nil {
		return err
	}
	took := time.Since(began)
	taken, err := nodes.call(command{Do: "taken"})
	if err != nil {
		return err
	}
	requests, err := nodes.call(command{Do: "requests"})
	if err != nil {
		return err
	}
	if taken.Count != int64(targets) {
		return fmt.Errorf("the nodes have taken %d posts", taken.Count)
	}
	t.note("broadcast to %s targets on %d nodes, %s: %s requests, %.2f s, %.2f µs CPU/target of the pusher, peak resident memory %.1f MB",
		grouped(int64(targets)), broadcastNodes, kind, grouped(requests.Count), took.Seconds(),
		float64(a.CPU)/float64(time.Microsecond)/float64(targets), float64(a.Memory)/1e6)
	return nil
}

// runBroadcaster is the process that is measured.
func runBroadcaster() error {
	return obey(os.Stdin, os.Stdout, func(c command) (answer, error) {
		if c.Do != "broadcast" {
			return answer{}, errors.New("no such command")
		}
		runtime.GC()
		cpu := cpuUsed()
		if err := broadcast(c.Address, c.Kind, c.Sockets); err != nil {
			return answer{}, err
		}
		cpu = cpuUsed() - cpu
		peak, err := peakMemory()
		return answer{CPU: cpu, Memory: peak}, err
	})
}

func broadcast(address, kind string, targets int) error {
	provider := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return benchCredentials, nil
	}))
	sender, err := apigw.New(provider, "us-east-1", func(o *apigw.Options) {
		o.NodeHosts, o.Timeout = []string{"127.0.0.1:*"}, -1
	})
	if err != nil {
		return err
	}
	defer sender.Close()
	push, err := pusher.New(newStreamStore(address, targets), sender, func(o *pusher.Options) {
		if kind == oneByOne {
			o.Batch = -1
		}
	})
	if err != nil {
		return err
	}
	data := `"` + strings.Repeat("x", broadcastSize-2) + `"`
	results, err := push.Push(context.Background(), sumu.Notification{ID: "n", Everyone: true, Data: []byte(data)})
	if err == nil && results[0].Delivered != targets {
		err = fmt.Errorf("%d of %d delivered", results[0].Delivered, targets)
	}
	return err
}

// peakMemory is the most that this process had resident, in bytes.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil || !found {
		return 0, fmt.Errorf("/proc/self/status has no VmHWM: %w", err)
	}
	return kilobytes << 10, nil
}

// streamStore yields connections that are made up on the way. Nothing else is
// asked of it.
type streamStore struct {
	sumu.Store
	endpoints []string
	targets   int
}

func newStreamStore(address string, targets int) *streamStore {
	s := &streamStore{targets: targets}
	for i := range broadcastNodes {
		s.endpoints = append(s.endpoints, fmt.Sprintf("%s/node-%d", address, i))
	}
	return s
}

// All yields strings of their own for each connection, as a store's are.
func (s *streamStore) All(context.Context, sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		now := time.Now()
		for i := range s.targets {
			c := sumu.Connection{
				UserID: fmt.Sprintf("user-%d", i), ID: fmt.Sprintf("R0oX%010d=", i),
				Endpoint:    strings.Clone(s.endpoints[i%len(s.endpoints)]),
				ConnectedAt: now, DeleteAt: now.Add(2 * time.Hour),
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}
