package main

import (
	"context"
	"fmt"
	"slices"
)

// goals for sockets, of the design. The rate is for 40 messages to 15,000
// sockets, with two cores for the server and its readers.
const (
	goalPerSecond = 1_000_000
	goalBurst     = 7  // times the best peer
	goalIdle      = 5  // KB
	goalConnect   = 40 // µs
)

const (
	hijackName  = "net/http and Hijack alone"
	handlerName = "sumu without gateway.Listener"
)

// sessions are those of each kind of server, in the order of the rounds.
type sessions map[string][]session

// runSessions lets the kinds take turns.
func runSessions(ctx context.Context, cfg *config, kinds []string) (sessions, error) {
	if cfg.profile != "" { // Sessions of their own: a profile costs something.
		for _, kind := range kinds {
			if _, err := runSession(ctx, cfg, kind, true); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	all := make(sessions)
	for range cfg.rounds {
		for _, kind := range kinds {
			s, err := runSession(ctx, cfg, kind, false)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			all[kind] = append(all[kind], s)
		}
	}
	return all, nil
}

// figures are one figure of a kind, round after round.
func (s sessions) figures(kind string, figure func(session) float64) (f series) {
	for _, one := range s[kind] {
		f = append(f, figure(one))
	}
	return f
}

func idleMemory(s session) float64  { return s.idle }
func connectCost(s session) float64 { return s.connect }

// addSockets runs the cases that need processes: fan-out, idle memory, connect.
// They share their sessions.
func addSockets(ctx context.Context, cfg *config, t *table) error {
	kinds := []string{kindSumu}
	for _, p := range peers {
		kinds = append(kinds, p.kind)
	}
	if cfg.runs("connect") {
		kinds = append(kinds, kindHandler, kindHijack)
	}
	all, err := runSessions(ctx, cfg, kinds)
	if err != nil {
		return err
	}
	if cfg.runs("fanout") {
		for _, way := range []struct{ via, name string }{{viaPusher, "Pusher.Push"}, {viaPost, "Gateway.Post"}} {
			addFanout(t, all, fmt.Sprintf("fan-out, burst of %d, %s", cfg.messages, way.name), way.via, true)
			addFanout(t, all, "fan-out, single, "+way.name, way.via, false)
		}
	}
	if cfg.runs("idle") {
		r := row{name: "idle socket, resident memory", scale: perSocket, ours: all.figures(kindSumu, idleMemory)}
		for _, p := range peers {
			r.peer, r.theirs = p.name, all.figures(p.kind, idleMemory)
			t.add(r)
		}
		t.goal(r.name, r.ours, goalIdle, r.scale)
	}
	if cfg.runs("connect") {
		r := row{name: "connect, to the answered handshake", scale: perConnect, ours: all.figures(kindSumu, connectCost)}
		for _, p := range peers {
			r.peer, r.theirs = p.name, all.figures(p.kind, connectCost)
			t.add(r)
		}
		r.peer, r.theirs = handlerName, all.figures(kindHandler, connectCost)
		t.add(r)
		r.peer, r.theirs = hijackName, all.figures(kindHijack, connectCost)
		t.add(r)
		t.goal(r.name, r.ours, goalConnect, r.scale)
	}
	return nil
}

// addFanout compares one way of ours with each peer's one way.
func addFanout(t *table, all sessions, name, via string, burst bool) {
	of := func(s session, via string) delivery {
		if burst {
			return s.bursts[via]
		}
		return s.singles[via]
	}
	figures := func(kind, via string, figure func(delivery) float64) series {
		return all.figures(kind, func(s session) float64 { return figure(of(s, via)) })
	}
	rate := func(d delivery) float64 { return d.perSecond }
	cpu := func(d delivery) float64 { return d.server }
	reading := func(d delivery) float64 { return d.readers }

	speed := row{name: name, scale: perSecond, ours: figures(kindSumu, via, rate)}
	cost := row{name: name, scale: perDelivery, ours: figures(kindSumu, via, cpu)}
	note := fmt.Sprintf("%s: its readers took %s µs CPU/delivery", name, figures(kindSumu, via, reading))
	var rates series
	for _, p := range peers {
		speed.peer, speed.theirs = p.name, figures(p.kind, viaOwn, rate)
		cost.peer, cost.theirs = p.name, figures(p.kind, viaOwn, cpu)
		t.add(speed)
		t.add(cost)
		rates = append(rates, speed.theirs.median())
		note += fmt.Sprintf(", those of %s %s", p.name, figures(p.kind, viaOwn, reading))
	}
	t.note("%s", note)
	best := slices.Max(rates)
	if burst {
		t.goal(name, speed.ours, goalPerSecond, speed.scale)
		t.goal(fmt.Sprintf("%s, %d times the best peer", name, goalBurst), speed.ours, goalBurst*best, speed.scale)
	} else {
		t.goal(name+", as the best peer", speed.ours, best, speed.scale)
	}
}

// addTLS compares sockets over TLS. Their readers are dear, and share the
// machine: no rates.
func addTLS(ctx context.Context, cfg *config, t *table) error {
	ours, theirs := kindSumu+overTLS, kindGorilla+overTLS
	all, err := runSessions(ctx, cfg, []string{ours, theirs})
	if err != nil {
		return err
	}
	add := func(name string, sc scale, o, p func(session) float64) {
		t.add(row{name, peers[0].name, sc, all.figures(ours, o), all.figures(theirs, p)})
	}
	burst := func(via string) func(session) float64 { return func(s session) float64 { return s.bursts[via].server } }
	single := func(via string) func(session) float64 {
		return func(s session) float64 { return s.singles[via].server }
	}
	add(fmt.Sprintf("TLS: fan-out, burst of %d, Pusher.Push", cfg.messages), perDelivery, burst(viaPusher), burst(viaOwn))
	add("TLS: fan-out, single, Pusher.Push", perDelivery, single(viaPusher), single(viaOwn))
	add("TLS: idle socket, resident memory", perSocket, idleMemory, idleMemory)
	add("TLS: connect, to the answered handshake", perConnect, connectCost, connectCost)
	return nil
}
