package main

import (
	"errors"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// attach has app handle what clients send: to each other in channels and by
// events, as the grants of their tokens say, and to your backend with "send" and
// "publish". Your own handlers come here: app.Handle("dance", …).
func attach(s settings, app *sumu.App, store sumu.Store, client sumu.NotifyClient, queue sqsnotify.API) error {
	rooms, err := channels.New(store, client, func(o *channels.Options) { o.Open, o.Default = s.openChannels, s.defaultChannel })
	if err != nil {
		return err
	}
	feed, err := events.New(store, func(o *events.Options) { o.Open = s.openChannels })
	if err != nil {
		return err
	}
	app.Handle("submitIotEvent", feed.Submit(client))
	if s.messagesURL != "" {
		backend, err := sqsnotify.Backend(queue, s.messagesURL)
		if err != nil {
			return err
		}
		app.Handle("send", sumu.ToBackend("apigw.route.send", backend))
		app.Handle("publish", sumu.ToBackend("apigw.route.publish", backend)) // Told apart by their source.
	}
	return errors.Join(rooms.Attach(app), feed.Attach(app))
}
