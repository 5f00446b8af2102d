package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/notify"
)

// stream is where the console writes its events, and from where they are read.
type stream interface {
	Put(ctx context.Context, record []byte) error
	// Read hands on records, in their order, until ctx ends.
	Read(ctx context.Context, handle func(ctx context.Context, record []byte) error) error
}

// localStream is a stream in this process.
type localStream chan []byte

func newLocalStream() stream { return make(localStream, 1000) }

func (s localStream) Put(ctx context.Context, record []byte) error {
	select {
	case s <- record:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s localStream) Read(ctx context.Context, handle func(context.Context, []byte) error) error {
	for {
		select {
		case record := <-s:
			if err := handle(ctx, record); err != nil {
				return end(ctx, err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// end is err, or nil when it is only that ctx has ended.
func end(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// deliver sends the events of a record to their subscribers. What is none is
// logged, and holds up nothing.
func deliver(client sumu.NotifyClient, log *slog.Logger) func(context.Context, []byte) error {
	return func(ctx context.Context, record []byte) error {
		for request, err := range events.Records(record) {
			var n sumu.Notification
			if err == nil {
				err = n.UnmarshalJSON(request)
			}
			if err != nil {
				log.WarnContext(ctx, "record rejected", "error", err.Error())
				continue
			}
			if _, err := notify.Send(ctx, client, n); err != nil {
				return err
			}
		}
		return nil
	}
}

// click is the message of an event of the type NESClick.
type click struct {
	Color string `json:"color"`
	By    string `json:"by"`
	Score int    `json:"score"`
}

var colors = []string{"blue", "bluegreen", "red", "orange", "purple"}

// console clicks on a colour at a pace.
func console(ctx context.Context, s stream, pace time.Duration) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for score := 1; ; score++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := put(ctx, s, click{colors[rand.IntN(len(colors))], "console", score}); err != nil {
			return end(ctx, err)
		}
	}
}

// put writes an event, in the shape that such streams have.
func put(ctx context.Context, s stream, c click) error {
	record, err := json.Marshal(struct {
		MessageType string
		Message     click
	}{"NESClick", c})
	if err != nil {
		return err
	}
	return s.Put(ctx, record)
}
