package main

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// usage is what the deployment is used for.
type usage struct {
	connections    float64       // open on average
	session        time.Duration // how long one stays open, on average
	messages       float64       // posted to connections, a day, all together
	targets        float64       // connections that a notification reaches, on average
	clientMessages float64       // sent by clients to the backend or a channel, a day, all together
	size           float64       // bytes of a message
	ping           time.Duration // between two pings of a client; 0: none
	pong           bool          // pings are answered
	presence       bool
}

func (u usage) validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"-connections", u.connections},
		{"-messages-per-day", u.messages},
		{"-client-messages-per-day", u.clientMessages},
	} {
		if !(f.value >= 0) || math.IsInf(f.value, 0) {
			errs = append(errs, fmt.Errorf("%s is %v; it must be 0 or more", f.name, f.value))
		}
	}
	if !(u.targets >= 1) || math.IsInf(u.targets, 0) {
		errs = append(errs, fmt.Errorf("-targets is %v; it must be 1 or more", u.targets))
	}
	if !(u.size >= 1 && u.size <= 128<<10) {
		errs = append(errs, fmt.Errorf("-size is %v; it must be 1 to %d, API Gateway's limit", u.size, 128<<10))
	}
	if u.session < time.Second || u.session > 2*time.Hour {
		errs = append(errs, fmt.Errorf("-session is %v; it must be 1s to 2h, API Gateway's limit", u.session))
	}
	if u.ping != 0 && (u.ping < time.Second || u.ping >= 10*time.Minute) {
		errs = append(errs, fmt.Errorf("-ping is %v; it must be 0 for none, or 1s to below 10m, when API Gateway closes an idle connection", u.ping))
	}
	return errors.Join(errs...)
}

const (
	month        = 730 * time.Hour // as AWS's calculator has it
	daysPerMonth = float64(month) / float64(24*time.Hour)

	// What a warm invocation of the reference Lambdas is taken to need: the
	// waiting for DynamoDB, SQS and the management API is most of it.
	memoryGB       = 0.25
	connectSeconds = 0.010 // authorizer and $connect each; verifying takes some 0.1 ms of it
	otherSeconds   = 0.010
	postSeconds    = 0.010 // of waiting for one post
	postsAtOnce    = 64    // pusher.Options.Concurrency
)

// item is one line of the bill, for a month.
type item struct {
	name   string
	units  float64
	dollar float64
}

// bill is what a month costs.
func bill(u usage) []item {
	connects := u.connections * float64(month) / float64(u.session)
	posts := u.messages * daysPerMonth
	notifications := posts / u.targets
	client := u.clientMessages * daysPerMonth
	metered := math.Ceil(u.size / (32 << 10))

	var pings float64
	if u.ping > 0 {
		pings = u.connections * float64(month) / float64(u.ping)
		if u.pong {
			pings *= 2
		}
	}
	minutes := u.connections * month.Minutes()

	// A notification: one request to send, one to receive, one to delete. The
	// requests of busy queues hold ten.
	queue := 3 * notifications * math.Ceil(u.size/(64<<10))
	queue += client * math.Ceil(u.size/(64<<10)) // API Gateway sends to it itself.

	writes := connects * 2      // the row, and its removal
	writes += notifications * 2 // the pusher's record of a message: lease and settlement
	reads := posts              // at most: the rows of one user are one read of 4 KB, strongly consistent
	invocations := connects * 3 // authorizer, $connect, $disconnect
	seconds := connects * connectSeconds * 3
	invocations += notifications / 10 // messages come in batches, up to ten
	seconds += notifications*otherSeconds/10 + posts*postSeconds/postsAtOnce
	if u.presence {
		// An evaluation for each change: 2 reads, 2 writes where the user came or
		// went. Changes come in batches too.
		writes += connects * 2 * 2
		reads += connects * 2 * 2
		invocations += connects * 2 / 10
		seconds += connects * 2 * otherSeconds
	}
	return []item{
		{"connection minutes", minutes, priceMinute.of(minutes)},
		{"pings", pings, priceMessage.of(pings)},
		{"messages to clients", posts * metered, priceMessage.of(posts * metered)},
		{"messages from clients, and acknowledgements", client * (metered + 1), priceMessage.of(client * (metered + 1))},
		{"DynamoDB writes", writes, priceWrite.of(writes)},
		{"DynamoDB reads", reads, priceRead.of(reads)},
		{"Lambda requests", invocations, priceInvocation.of(invocations)},
		{"Lambda GB-seconds", seconds * memoryGB, priceGBSecond.of(seconds * memoryGB)},
		{"SQS requests", queue, priceQueue.of(queue)},
	}
}

func total(items []item) float64 {
	sum := 0.0
	for _, i := range items {
		sum += i.dollar
	}
	return sum
}
