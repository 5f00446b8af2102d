package main

import (
	"context"
	"fmt"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/notify"
)

// room is the channel of the case "channels".
const room = "all"

// roomServer is ours with channels: every connection joins one as it connects,
// as centrifuge's clients are subscribed.
type roomServer struct{ *sumuServer }

func newRoomServer() (*roomServer, error) {
	s, err := newSumuServer(noPings)
	if err != nil {
		return nil, err
	}
	local, err := notify.NewLocal(s.pusher) // It ends with the process.
	if err != nil {
		return nil, err
	}
	rooms, err := channels.New(s.store, local, func(o *channels.Options) { o.Default = room })
	if err != nil {
		return nil, err
	}
	return &roomServer{s}, rooms.Attach(s.app)
}

func (s *roomServer) broadcast(ctx context.Context, via string, messages [][]byte) error {
	if via != viaRoom {
		return fmt.Errorf("no broadcast via %q", via)
	}
	for i, m := range messages {
		results, err := s.pusher.Push(ctx, sumu.Notification{ID: roomID(i), Channels: []string{room}, Data: m})
		if err != nil {
			return err
		}
		if err := s.reached(&results[0]); err != nil {
			return err
		}
	}
	return nil
}

// addChannels compares a channel with centrifuge's, where everyone who connects
// joins it, and then looks at an event with many subscribers.
func addChannels(ctx context.Context, cfg *config, t *table) error {
	own := *cfg
	own.sockets, own.only = cfg.members, ""
	all, err := runSessions(ctx, &own, []string{kindRoom, kindCentrifuge})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("channel of %s", grouped(int64(cfg.members)))
	add := func(what string, sc scale, ours, theirs func(session) float64) {
		t.add(row{name + ", " + what, "centrifuge", sc, all.figures(kindRoom, ours), all.figures(kindCentrifuge, theirs)})
	}
	// Of one way to deliver, one figure.
	burst := func(via string, of func(delivery) float64) func(session) float64 {
		return func(s session) float64 { return of(s.bursts[via]) }
	}
	single := func(via string, of func(delivery) float64) func(session) float64 {
		return func(s session) float64 { return of(s.singles[via]) }
	}
	rate := func(d delivery) float64 { return d.perSecond }
	cpu := func(d delivery) float64 { return d.server }
	bursts := fmt.Sprintf("burst of %d", cfg.messages)
	add(bursts, perSecond, burst(viaRoom, rate), burst(viaOwn, rate))
	add(bursts, perDelivery, burst(viaRoom, cpu), burst(viaOwn, cpu))
	add("single", perSecond, single(viaRoom, rate), single(viaOwn, rate))
	add("single", perDelivery, single(viaRoom, cpu), single(viaOwn, cpu))
	add("resident memory", perSocket, idleMemory, idleMemory)
	add("to connect and join", perConnect, connectCost, connectCost)
	return addEvent(ctx, cfg, t)
}
