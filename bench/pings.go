package main

import (
	"context"
	"errors"
	"fmt"
)

// kindPinged begins the kind of ours that pings; its PingInterval follows.
const kindPinged = "sumu-pinged-"

// pingsEach is how often each client is pinged while that is measured.
const pingsEach = 2

var cpuPerSecond = in("ms CPU/s", "cheaper", "dearer")

// quiet is what a server showed while nothing was sent but pings.
type quiet struct {
	cpu    float64 // ms a second
	memory float64 // KB of resident memory for each socket, in the end
	pings  float64 // a second, as the clients counted them
}

// addPings compares ours, whose idle sockets are pinged, with itself without pings.
// Both run at once, until every client has been pinged pingsEach times.
func addPings(ctx context.Context, cfg *config, t *table) error {
	name := fmt.Sprintf("%s idle sockets, pinged every %s", grouped(int64(cfg.sockets)), cfg.pings)
	cpu := row{name: name, peer: "the same without pings", scale: cpuPerSecond}
	memory := row{name: name, peer: cpu.peer, scale: perSocket}
	var rate, each series
	for range cfg.rounds {
		with, without, err := pingOnce(ctx, cfg)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		cpu.ours, cpu.theirs = append(cpu.ours, with.cpu), append(cpu.theirs, without.cpu)
		memory.ours, memory.theirs = append(memory.ours, with.memory), append(memory.theirs, without.memory)
		rate = append(rate, with.pings)
		each = append(each, (with.cpu-without.cpu)*1000/with.pings)
	}
	t.add(cpu)
	t.add(memory)
	t.note("%s: %s pings a second, %d or more to each client, all of them answered; the server took %s µs CPU for a ping and its answer",
		name, rate, pingsEach, each)
	return nil
}

// pingOnce is one round.
func pingOnce(ctx context.Context, cfg *config) (with, without quiet, err error) {
	ctx, cancel := context.WithTimeout(ctx, sessionLimit)
	defer cancel()
	pinged, err := startRunner(ctx, cfg, kindPinged+cfg.pings.String(), false)
	if err != nil {
		return with, without, err
	}
	defer func() { err = errors.Join(err, pinged.stop()) }()
	silent, err := startRunner(ctx, cfg, kindSumu, false)
	if err != nil {
		return with, without, err
	}
	defer func() { err = errors.Join(err, silent.stop()) }()

	var begun [2]answer
	both := [2]*runner{pinged, silent}
	for _, r := range both {
		if err := r.fill(new(session)); err != nil {
			return with, without, err
		}
	}
	for i, r := range both {
		if begun[i], err = r.server.call(command{Do: "usage"}); err != nil {
			return with, without, err
		}
	}
	counted, err := pinged.readers.call(command{Do: "pings", Messages: pingsEach})
	if err != nil {
		return with, without, err
	}
	for i, q := range []*quiet{&with, &without} {
		if *q, err = both[i].quiet(begun[i]); err != nil {
			return with, without, err
		}
	}
	with.pings = float64(counted.Count) / counted.At.Sub(begun[0].At).Seconds()
	return with, without, nil
}

// quiet returns what the server has taken since, with all its sockets still open and
// nothing come to its clients but the pings that they answer.
func (r *runner) quiet(since answer) (q quiet, err error) {
	ended, err := r.server.call(command{Do: "usage"})
	if err != nil {
		return q, err
	}
	q.cpu = micros(ended.CPU-since.CPU) / 1000 / ended.At.Sub(since.At).Seconds()
	if _, err := r.readers.call(command{Do: "failure"}); err != nil {
		return q, err
	}
	if _, err := r.server.call(command{Do: "await", Sockets: r.open}); err != nil {
		return q, err
	}
	q.memory, err = r.memory()
	return q, err
}
