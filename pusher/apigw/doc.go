// Package apigw posts to WebSocket connections through the @connections
// management API: that of API Gateway, and the one that package gateway serves.
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	sender, err := apigw.New(cfg.Credentials, cfg.Region, func(o *apigw.Options) {
//		o.Endpoint = "https://abc123.execute-api.us-east-1.amazonaws.com/prod"
//	})
//	defer sender.Close()
//	push, err := pusher.New(store, sender)
//
// # What an answer means
//
// Every error is a [*sumu.Error] that names the connection. Where there was an
// answer its cause is a [*ResponseError]. The status decides first:
//
//   - 410, and 400 "Invalid connectionId": ErrGone. The row can be pruned.
//   - 429: ErrThrottled; see below.
//   - 413: ErrTooLarge.
//   - 401 and 403: ErrForbidden. It is a fault of configuration (a permission, the
//     stage, the clock) that holds for every connection: a pusher stops its
//     batch and prunes nothing. Credentials that expired on the way are
//     ErrUnavailable instead, and the provider is asked for new ones.
//   - any other 400, 4xx or a redirect: ErrInvalid. It fails this target alone.
//   - 404, 408, 5xx, a page of HTML, an answer that breaks off, no answer:
//     ErrUnavailable. A post whose answer was lost may have been delivered.
//
// The sender itself never posts twice: when to try again is the pusher's to
// decide. Only a request of which not a byte was written, because the server
// had closed an idle connection, is sent on another.
//
// # Throttling
//
// API Gateway answers 429 both when the account is over its rate and when one
// client reads too slowly, and does not tell which. Within a second, at least 20
// such answers (of which 5 count for a connection) that are one in 20 of the
// requests stand for the account: the whole sender then slows down, as
// [Options.RateLimit] says. A few slow clients slow nobody: their posts return
// ErrThrottled, and the pusher has them wait alone.
//
// # Endpoints
//
// A post is signed with credentials and carries a payload, so it must not go
// to a host that somebody wrote into a row. The endpoint is taken from the
// connection's row, normalised, and dialled only if [Options.AllowedHosts] has
// its host and port; a redirect is never followed. A row that names another
// host fails alone, with ErrInvalid: a bad row must not stop a batch.
//
// # Nodes
//
// Hosts that [Options.NodeHosts] names are gateways of your own, and get the
// posts of a payload in batches: one request for a thousand sockets, by
// the default of package pusher. Each connection of a batch has an outcome of its own.
// A batch whose answer is lost may have been delivered to any of its
// connections, and ErrUnavailable is the outcome of all.
//
// # Cost
//
// The hash of a payload is computed once per notification and the signing key
// once per day, so that a signed post costs little more than a plain one of
// net/http. Idle connections are kept for as many posts as may be in flight.
package apigw
