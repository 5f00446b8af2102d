package main

import (
	"context"
	"fmt"
)

const gorillaHub = "gorilla hub, prepared messages"

// goals for sockets, of the design. The rate is for 40 messages to 15,000
// sockets, with two cores for the server and its readers.
const (
	goalPerSecond = 1_000_000
	goalIdle      = 5 // KB
)

// addSockets runs the cases that need processes: fan-out, idle memory, connect.
// They share their sessions.
func addSockets(ctx context.Context, cfg *config, t *table) error {
	sumuWays, gorillaWays := []string{viaPusher, viaPost}, []string{viaHub}
	if cfg.profile != "" { // Sessions of their own: a profile costs something.
		if _, err := runSession(ctx, cfg, kindSumu, sumuWays, true); err != nil {
			return err
		}
		if _, err := runSession(ctx, cfg, kindGorilla, gorillaWays, true); err != nil {
			return err
		}
	}
	var ours, theirs []session
	for range cfg.rounds {
		o, err := runSession(ctx, cfg, kindSumu, sumuWays, false)
		if err != nil {
			return err
		}
		p, err := runSession(ctx, cfg, kindGorilla, gorillaWays, false)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, o), append(theirs, p)
	}
	if cfg.runs("fanout") {
		for _, via := range []string{viaPusher, viaPost} {
			addDeliveries(cfg, t, via, ours, theirs)
		}
	}
	each := func(of []session, figure func(session) float64) (s series) {
		for _, one := range of {
			s = append(s, figure(one))
		}
		return s
	}
	if cfg.runs("idle") {
		idle := func(s session) float64 { return s.idle }
		r := row{"idle socket, resident memory", gorillaHub, perSocket, each(ours, idle), each(theirs, idle)}
		t.add(r)
		t.goal(r.name, r.ours, goalIdle, r.scale)
	}
	if cfg.runs("connect") {
		connect := func(s session) float64 { return s.connect }
		t.add(row{"connect, to the answered handshake", gorillaHub, perConnect, each(ours, connect), each(theirs, connect)})
	}
	return nil
}

// addDeliveries compares one way of ours with the peer's one way.
func addDeliveries(cfg *config, t *table, via string, ours, theirs []session) {
	way := map[string]string{viaPusher: "Pusher.Push", viaPost: "Gateway.Post"}[via]
	for _, kind := range []struct {
		name  string
		of    func(session) map[string]delivery
		burst bool
	}{
		{fmt.Sprintf("fan-out, burst of %d, %s", cfg.messages, way), func(s session) map[string]delivery { return s.bursts }, true},
		{"fan-out, single, " + way, func(s session) map[string]delivery { return s.singles }, false},
	} {
		var rate, cpu row
		var reading, peerReading series
		for i := range ours {
			o, p := kind.of(ours[i])[via], kind.of(theirs[i])[viaHub]
			rate.ours, rate.theirs = append(rate.ours, o.perSecond), append(rate.theirs, p.perSecond)
			cpu.ours, cpu.theirs = append(cpu.ours, o.server), append(cpu.theirs, p.server)
			reading, peerReading = append(reading, o.readers), append(peerReading, p.readers)
		}
		rate.name, rate.peer, rate.scale = kind.name, gorillaHub, perSecond
		cpu.name, cpu.peer, cpu.scale = kind.name, gorillaHub, perDelivery
		t.add(rate)
		t.add(cpu)
		t.note("%s: its readers took %s µs CPU/delivery, the peer's %s", kind.name, reading, peerReading)
		if kind.burst {
			t.goal(rate.name, rate.ours, goalPerSecond, rate.scale)
		} else {
			t.goal(rate.name+", as the peer", rate.ours, rate.theirs.median(), rate.scale)
		}
	}
}
