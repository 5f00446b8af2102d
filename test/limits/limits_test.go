// Package limits tests what 0 and a negative value mean in the options of all packages.
package limits_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/lead"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/iot"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/kinesisnotify"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/pusher/apigw"
)

const root = "../.." // of the module

// limits are the numbers and durations of one type of options: 0 is the default of
// each; a negative value is none for those that are named, and ErrInvalid for
// all others.
type limits struct {
	options string
	none    string // the names, with spaces between
	check   func(t *testing.T, none []string)
}

func limitsOf[O any](none string, build func(fn func(*O)) error) limits {
	typ := reflect.TypeFor[O]()
	return limits{typ.String(), none, func(t *testing.T, none []string) {
		if err := build(func(*O) {}); err != nil {
			t.Fatalf("zero values: %v", err)
		}
		for i := range typ.NumField() {
			field := typ.Field(i)
			if !field.IsExported() || !isNumber(field.Type) {
				continue
			}
			known := slices.Index(none, field.Name)
			for _, value := range []float64{-1, -float64(time.Hour)} {
				err := build(func(o *O) {
					v := reflect.ValueOf(o).Elem().Field(i)
					v.Set(reflect.ValueOf(value).Convert(v.Type()))
				})
				switch {
				case known >= 0 && err != nil:
					t.Errorf("%s is none when it is negative: %v", field.Name, err)
				case known < 0 && (!errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), field.Name)):
					t.Errorf("a negative %s: %v, want ErrInvalid", field.Name, err)
				}
			}
			if known >= 0 {
				none = slices.Delete(none, known, known+1)
			}
		}
		if len(none) > 0 {
			t.Errorf("there is no %v", none)
		}
	}}
}

func isNumber(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}

var limitsAuth = sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
	return sumu.Identity{UserID: "ann"}, nil
})

// allLimits is every type of options that has a limit.
func allLimits(t *testing.T) []limits {
	store := new(memstore.Store)
	app, err := sumu.NewApp(limitsAuth, store)
	if err != nil {
		t.Fatal(err)
	}
	gw, err := gateway.New(app)
	if err != nil {
		t.Fatal(err)
	}
	push, err := pusher.New(store, gw)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	const queue = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
	client := struct{ sumu.NotifyClient }{}
	return []limits{
		limitsOf("MaxConnections", func(fn func(*sumu.AppOptions)) error {
			_, err := sumu.NewApp(limitsAuth, store, fn)
			return err
		}),
		limitsOf("PingInterval PongTimeout IdleTimeout MaxAge MaxFrame FrameSize MaxURL MaxHeader Compress "+
			"MaxSockets ConnectRate ConnectRatePerSource MessageRate",
			func(fn func(*gateway.Options)) error { _, err := gateway.New(app, fn); return err }),
		limitsOf("Batch PruneAge", func(fn func(*pusher.Options)) error {
			_, err := pusher.New(store, gw, fn)
			return err
		}),
		limitsOf("", func(fn func(*pusher.WorkerOptions)) error {
			_, err := pusher.NewWorker(push, struct{ sumu.Requeuer }{}, fn)
			return err
		}),
		limitsOf("Timeout RateLimit", func(fn func(*apigw.Options)) error {
			_, err := apigw.New(aws.AnonymousCredentials{}, "us-east-1", fn)
			return err
		}),
		limitsOf("", func(fn func(*notify.LocalOptions)) error {
			local, err := notify.NewLocal(push, fn)
			if err == nil {
				err = local.Close(context.Background())
			}
			return err
		}),
		limitsOf("", func(fn func(*sqsnotify.Options)) error {
			_, err := sqsnotify.New(struct{ sqsnotify.API }{}, queue, fn)
			return err
		}),
		limitsOf("Grace", func(fn func(*sqsnotify.PollOptions)) error {
			return sqsnotify.Poll(ended, struct{ sqsnotify.PollAPI }{}, queue, func(context.Context, ...sumu.Delivery) []sumu.Outcome { return nil }, fn)
		}),
		limitsOf("", func(fn func(*snsnotify.Options)) error {
			_, err := snsnotify.New(struct{ snsnotify.API }{}, "arn:aws:sns:us-east-1:123456789012:topic", fn)
			return err
		}),
		limitsOf("", func(fn func(*kinesisnotify.Options)) error {
			_, err := kinesisnotify.New(struct{ kinesisnotify.API }{}, "stream", fn)
			return err
		}),
		limitsOf("MaxChannels JoinRate", func(fn func(*channels.Options)) error {
			_, err := channels.New(store, client, fn)
			return err
		}),
		limitsOf("MaxSubscriptions Rate", func(fn func(*events.Options)) error {
			_, err := events.New(store, fn)
			return err
		}),
		limitsOf("Grace SweepEvery ReconcileEvery", func(fn func(*presence.Options)) error {
			_, err := presence.New(store, sumu.PresencePublisherFunc(nil), fn)
			return err
		}),
		limitsOf("", func(fn func(*dynamofeed.Options)) error {
			_, err := dynamofeed.New(struct{ dynamofeed.StreamsClient }{}, struct{ dynamofeed.TableClient }{}, fn)
			return err
		}),
		limitsOf("PageSize", func(fn func(*dynamostore.Options)) error {
			_, err := dynamostore.New(struct{ dynamostore.Client }{}, fn)
			return err
		}),
		limitsOf("", func(fn func(*lead.Options)) error {
			return lead.Run(ended, store, "turn", func(context.Context) error { return nil }, fn)
		}),
		limitsOf("MaxRows MaxChecks MaxRemovals Reserve Takeover", func(fn func(*sweep.Options)) error {
			_, err := sweep.New(store, fn)
			return err
		}),
		limitsOf("", func(fn func(*iot.VendorOptions)) error {
			_, err := iot.NewVendor(limitsAuth, struct{ iot.STS }{}, "arn:aws:iam::123456789012:role/clients",
				"abc-ats.iot.us-east-1.amazonaws.com", fn)
			return err
		}),
		limitsOf("", func(fn func(*iot.LifecycleOptions)) error {
			_, err := iot.NewLifecycle(store, store, fn)
			return err
		}),
		limitsOf("", func(fn func(*iot.SenderOptions)) error {
			_, err := iot.NewSender(struct{ iot.DataPlane }{}, fn)
			return err
		}),
		limitsOf("", func(fn func(*awslambda.BackendOptions)) error {
			o := awslambda.BackendOptions{Message: func(context.Context, sumu.BackendMessage) error { return nil }}
			fn(&o)
			_, err := awslambda.NewBackend(o)
			return err
		}),
		limitsOf("", func(fn func(*awslambda.PresenceOptions)) error {
			_, err := awslambda.NewPresence(struct{ awslambda.Watcher }{}, fn)
			return err
		}),
		limitsOf("", func(fn func(*authorizer.JWKSOptions)) error {
			_, err := authorizer.JWKS("https://issuer.example/keys", fn)
			return err
		}),
		limitsOf("Skew", func(fn func(*authorizer.Options)) error {
			keys, err := authorizer.JWKS("https://issuer.example/keys")
			if err == nil {
				_, err = authorizer.New(keys, func(o *authorizer.Options) {
					o.Issuer, o.Audiences = "https://issuer.example", []string{"app"}
					fn(o)
				})
			}
			return err
		}),
		limitsOf("", func(fn func(*authorizer.TicketOptions)) error {
			_, err := authorizer.NewTickets(store, fn)
			return err
		}),
	}
}

// Of every limit, 0 is the default; a negative value is none, or an error where
// there must be one.
func TestNegativeLimits(t *testing.T) {
	for _, l := range allLimits(t) {
		t.Run(l.options, func(t *testing.T) { l.check(t, strings.Fields(l.none)) })
	}
}
