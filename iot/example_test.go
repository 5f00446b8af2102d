package iot_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/iot"
)

func ExampleNewVendor() {
	// In a program: authorizer.New.
	auth := as(sumu.Identity{UserID: "ann", Grants: sumu.Grants{grant("room.42", sumu.VerbJoin)}}, nil)
	// In a program: sts.NewFromConfig(cfg).
	api := new(fakeSTS)
	vendor, err := iot.NewVendor(auth, api, "arn:aws:iam::123456789012:role/sumu-client", "a1b2c3-ats.iot.eu-west-1.amazonaws.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a program: http.Handle("/connect", vendor).
	c, err := vendor.Vend(context.Background(), &sumu.ConnectRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.ClientID[:4], len(c.ClientID), c.URL[:50])
	fmt.Println(strings.ReplaceAll(*api.asked[0].Policy, c.ClientID, "{client id}"))
	// Output:
	// ann- 30 wss://a1b2c3-ats.iot.eu-west-1.amazonaws.com/mqtt?
	// {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":["arn:aws:iot:eu-west-1:123456789012:client/{client id}"]},{"Effect":"Allow","Action":"iot:Receive","Resource":["arn:aws:iot:eu-west-1:123456789012:topic/sumu/ann/{client id}","arn:aws:iot:eu-west-1:123456789012:topic/channels/room.42"]},{"Effect":"Allow","Action":"iot:Subscribe","Resource":["arn:aws:iot:eu-west-1:123456789012:topicfilter/sumu/ann/{client id}","arn:aws:iot:eu-west-1:123456789012:topicfilter/channels/room.42"]}]}
}

// printingBroker stands for an *iotdataplane.Client in these examples.
type printingBroker struct{ iot.DataPlane }

func (printingBroker) SendDirectMessage(_ context.Context, in *iotdataplane.SendDirectMessageInput, _ ...func(*iotdataplane.Options)) (*iotdataplane.SendDirectMessageOutput, error) {
	fmt.Printf("%s on %s, to be confirmed: %v\n", in.Payload, *in.Topic, in.Confirmation)
	return new(iotdataplane.SendDirectMessageOutput), nil
}

func ExampleNewSender() {
	sender, err := iot.NewSender(printingBroker{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a program: pusher.New(store, sender).
	p, err := sumu.NewPayload([]byte(`{"order":7}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(sender.Post(ctx, sumu.Connection{UserID: "ann", ID: "ann-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, p))
	fmt.Println(sender.Post(ctx, sumu.Connection{UserID: "ann", ID: "R0oXAdfD0kwCH6w="}, p))
	// Output:
	// {"order":7} on sumu/ann/ann-ABCDEFGHIJKLMNOPQRSTUVWXYZ, to be confirmed: true
	// <nil>
	// post R0oXAdfD0kwCH6w=: connection is none of IoT Core: its id is no client id of ours: invalid
}

func ExampleNewLifecycle() {
	store := new(memstore.Store)
	seen, err := iot.NewLifecycle(store, store)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	// The end of a connection overtakes its beginning.
	for _, eventType := range []string{"disconnected", "connected"} {
		event := fmt.Sprintf(`{"clientId":"ann-ABCDEFGHIJKLMNOPQRSTUVWXYZ","timestamp":%d,"eventType":%q,"versionNumber":0}`,
			time.Now().UnixMilli(), eventType)
		if err := seen.Handle(ctx, []byte(event)); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(store.HasLive(ctx, "ann"))
	// Output:
	// false <nil>
}

func ExampleNewClientID() {
	id, err := iot.NewClientID("auth0|7")
	fmt.Println(id[:10], err)
	fmt.Println(iot.UserOf(id))
	// Output:
	// auth0=7C7- <nil>
	// auth0|7 true
}
