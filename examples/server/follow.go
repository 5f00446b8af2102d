package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/lead"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/presence"
)

// What SUMU_PRESENCE may be.
const (
	presenceNotify = "notify"
	presenceQueue  = "queue"
	presenceNone   = "none"
)

// follower reads the stream of the connections table, on one node at a time:
// it tells who comes and goes, and removes what a connection leaves behind.
type follower struct {
	settings settings
	store    *dynamostore.StateStore
	feed     sumu.ChangeFeed
	watcher  *presence.Watcher // nil: nobody is told who comes and goes
	log      *slog.Logger
}

// newFollower ties it together; client and queue are where events may go.
func newFollower(s settings, cloud aws.Config, store *dynamostore.StateStore, client sumu.NotifyClient, queue sqsnotify.API, log *slog.Logger) (*follower, error) {
	stream, err := dynamofeed.New(dynamodbstreams.NewFromConfig(cloud), dynamodb.NewFromConfig(cloud), func(o *dynamofeed.Options) {
		o.Table, o.Positions = s.connectionsTable, store
		o.Logger = log
	})
	if err != nil {
		return nil, err
	}
	cleaner, err := sweep.NewCleaner(store)
	if err != nil {
		return nil, err
	}
	f := &follower{settings: s, store: store, feed: cleaned{feed: stream, cleaner: cleaner, log: log}, log: log}
	if s.presence == presenceNone {
		return f, nil
	}
	publisher := presence.ToNotify(client) // to everyone but the user
	if s.presence == presenceQueue {
		if publisher, err = sqsnotify.Presence(queue, s.presenceURL); err != nil {
			return nil, err
		}
	}
	f.watcher, err = presence.New(store, publisher, func(o *presence.Options) {
		o.Grace = s.grace
		o.SweepEvery = -1 // newSweeper's does it.
		o.Logger = log
	})
	return f, err
}

// run leads whenever nobody else does, until ctx ends. A node that dies leads
// for as long as its lease says that it lives, or less.
func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := lead.Run(ctx, f.store, "presence", f.follow, func(o *lead.Options) {
			o.TTL = max(f.settings.leaseTTL/2, 3*time.Second)
			o.Node, o.Logger = f.settings.node, f.log
		})
		if err != nil {
			f.log.Error("the stream of the connections is not followed, will try again", "err", err)
		}
		pause(ctx, time.Second)
	}
}

// follow is what the node that leads does.
func (f *follower) follow(ctx context.Context) error {
	if f.watcher != nil {
		return f.watcher.Run(ctx, f.feed)
	}
	for range f.feed.Changes(ctx) { // The cleaner sees them.
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
