// Package gateway terminates WebSockets on your own servers, with the semantics
// of API Gateway: what runs behind API Gateway and Lambda runs here unchanged.
//
// Testing for API Gateway? Set [LikeAPIGateway]: then its quotas hold here, too.
// By default the limits are those of your own servers.
//
//	gw, err := gateway.New(app)
//	http.Handle("/ws", gw)                    // clients
//	push, err := pusher.New(store, gw)        // posts, in process
//	err = gateway.Server(http.DefaultServeMux).Serve(gw.Listener(ln, "/ws"))
//	defer gw.Shutdown(ctx)
//
// # Semantics
//
//	upgrade          pending until the App has authorized and written the row;
//	                 401, 403, 429 or 500 otherwise, and no row is left
//	post             nil once queued; ErrGone before the upgrade and after the
//	                 end; ErrThrottled when the client reads too slowly
//	messages         text, 128 KB in any frames; of one socket in order, one
//	                 at a time
//	binary message   closed with 1003
//	too big          closed with 1009
//	not UTF-8        closed with 1007; against RFC 6455: 1002
//	half a message   closed with 1008 after ReadTimeout
//	too many         an error frame rate_limited, then closed with 1008
//	dead link        reset (1006) when nothing came from the client for
//	                 PingInterval, and nothing within PongTimeout of a ping
//	idle, too old    closed with 1001 after IdleTimeout, MaxAge; by default
//	                 neither
//	token expired    a frame {"type":"closing","code":"token_expired",…}, then
//	                 closed with 4003; the action "refresh" moves the expiry
//	                 ([sumu.AppOptions.Refresh])
//	replaced         by a newer connection ([sumu.AppOptions.EvictOldest]): a
//	                 closing frame "replaced", then closed with 4002
//	kicked           by [sumu.Kick]: a closing frame "kicked", then closed with
//	                 4001; by any other call of Disconnect with 1000
//	no reader        reset after WriteTimeout, when not one byte moves
//	end              the row is removed once, with the close code of whoever
//	                 closed first: 1005 for a close frame without a code, 1006
//	                 without a close frame
//
// While a handler runs, nothing more is read from its socket, pings included, and
// so a dead link is found only afterwards. Its context ends when the gateway is
// stopped by force, not when the client leaves; bound slow handlers yourself.
//
// # Heartbeat
//
// Both ends of a link that is cut without a word, by a mobile network or by a proxy
// that stops forwarding, think that it is open. So a client that has been quiet for
// [Options.PingInterval] is pinged, and its socket is reset when nothing comes for
// another [Options.PongTimeout]: its row goes, and its user is OFFLINE once
// presence's grace is over. Only bytes from the client count: what is posted to
// such a socket is taken by the system, or by the proxy. Clients answer by
// themselves, browsers and libraries alike, but a page sees nothing of it: how
// a client finds a dead link is up to the client, by the action "ping".
//
// A ping that waits behind posts is not missed: PongTimeout begins when it is
// written, and until then WriteTimeout holds. A process that was suspended gives all
// clients the whole time again.
//
// # Fidelity
//
// Each behaviour of API Gateway's WebSocket APIs (its documentation, read
// 2026-11), what happens here with [LikeAPIGateway], and the test that holds it. A
// row that begins with "!" differs on purpose; one that begins with "*" is
// otherwise by default, without LikeAPIGateway: see its documentation.
//
//	  behaviour                            | API Gateway                       | here                                     | test
//	  $connect                             | upgrade pending until it returns  | the same                                 | TestUpgradeIsPendingUntilAuthorized
//	  post from within $connect            | 410                               | ErrGone, 410                             | TestUpgradeIsPendingUntilAuthorized
//	  no or bad token; not allowed         | 401; 403                          | the same, {"message":…}                  | TestRefused
//	  fault of the authorizer              | 500                               | the same                                 | TestRefused
//	! authorizer or $connect too slow      | 504 after 29 s                    | 500 after ConnectTimeout                 | TestConnectTimeout
//	  sub-protocol                         | what $connect returns is echoed   | the App's first that is offered          | TestSubprotocol
//	  header names                         | any case                          | any case                                 | TestHeaderCase
//	  query parameters                     | decoded, several of one name      | the same                                 | TestQuery
//	! malformed query string               | not documented                    | 400                                      | TestQuery
//	! URL over 4,096 characters            | not accepted                      | 414; MaxURL                              | TestRequestLimits
//	! request line and headers over 10,240 | not accepted                      | 431; MaxHeader                           | TestRequestLimits
//	! new connections per second           | 500 per account, then 429         | ConnectRate, off; 50 per public source   | TestConnectRate
//	  connection id                        | 16 characters ending in "="       | the same                                 | TestConnection
//	  message                              | at most 128 KB, else 1009         | the same                                 | TestViolations
//	* inbound frame                        | at most 32 KB, else 1009          | the same; MaxFrame                       | TestMaxFrame
//	* outbound frame                       | at most 32 KB                     | the same; FrameSize                      | TestFrameSize
//	  binary message                       | 1003                              | the same                                 | TestViolations
//	  unknown route without $default       | {"message":"Forbidden",…}         | the same                                 | TestForbiddenFrame
//	  integration's answer unusable        | {"message":"Internal server …",…} | the same                                 | TestReplyThatCannotBeSent
//	! messages of one connection           | handled concurrently              | one at a time, in order                  | TestManySockets
//	! messages per second                  | per stage                         | MessageRate per socket, 100              | TestMessageRate
//	  compression                          | not documented                    | none by default                          | TestNoCompression
//	! compression that is asked for        | not documented                    | permessage-deflate; Compress             | TestCompression
//	* idle                                 | closed after 10 min               | the same, 1001; IdleTimeout              | TestIdleTimeout
//	* pings                                | none                              | none; PingInterval                       | TestNoPings
//	* age                                  | closed after 2 h                  | the same, 1001; MaxAge                   | TestMaxAge
//	! token expires                        | the connection stays              | closing frame, 4003                      | TestTokenExpires
//	! new token on an open connection      | not possible                      | the action "refresh"                     | TestRefresh
//	  $disconnect                          | status code and reason            | sumu.DisconnectReason, the same          | TestClientCloses
//	  client vanishes                      | 1006                              | the same                                 | TestClientVanishes
//	! $disconnect is delivered             | best effort                       | retried; after a crash the row expires   | TestRowRemovalIsRetried
//	  POST @connections/{id}               | 200, no body                      | the same                                 | TestManagementActs
//	  GET @connections/{id}                | 200, connectedAt, identity, …     | the same                                 | TestManagementActs
//	  DELETE @connections/{id}             | 204                               | the same                                 | TestManagementActs
//	  malformed id                         | 400 BadRequestException           | the same                                 | TestManagementMalformedOrUnknown
//	  unknown id, closed connection        | 410 GoneException                 | the same                                 | TestManagementMalformedOrUnknown
//	  client's buffer full                 | 429 LimitExceededException        | the same; WriteBuffer                    | TestManagementFullBuffer
//	  payload over 128 KB                  | 413 PayloadTooLargeException      | the same                                 | TestManagementPayloadSize
//	  wrong stage or path                  | 403                               | 403 ForbiddenException                   | TestManagementRefusesWhatCannotBe
//	! signature refused                    | 403, a type for each reason       | 403 ForbiddenException, reason in text   | TestManagementPostsOnlyWhatVerifies
//	  error type header                    | x-amzn-ErrorType                  | the same, typed by the AWS SDK           | TestManagementWithSDK
//	  SigV4: a clock over 5 min off        | 403 InvalidSignatureException     | the same; SDKs correct theirs            | TestManagementClockSkew
//	  SigV4: "//" in the path              | signed as one                     | the same, or signed as it came           | TestManagementPathForms
//	  SigV4: replayed within 5 min         | accepted                          | the same                                 | TestManagementPostsOnlyWhatVerifies
//	  SigV4: later, re-dated, re-hosted    | 403                               | the same                                 | TestManagementPostsOnlyWhatVerifies
//	! SigV4 in the query, unsigned payload | accepted                          | 403                                      | TestManagementPostsOnlyWhatVerifies
//	! POST @connections                    | 403                               | a batch of posts                         | TestManagementBatch
//
// # Protection
//
// The defaults keep one client from costing more than its share: what it sends
// ([Options.MessageRate]), how often it connects
// ([Options.ConnectRatePerSource]), how long it may take to read
// ([Options.WriteTimeout]), to write ([Options.ReadTimeout]) and to send its
// handshake ([Server]). Behind a proxy set [Options.TrustedProxies], else all
// clients have the proxy's address. [Options.MaxSockets] and
// [Options.ConnectRate] bound what all cost together; set them to what your
// machine holds.
//
// # Node leases
//
// A process that dies leaves its rows: they expire with
// [sumu.AppOptions.RowTTL], and until then its users seem to be online. With
// [Options.Leases] a node says that it lives, and others may remove its rows as
// soon as it does not:
//
//   - The lease of a connection's node is the record of kind "lease" whose key is
//     the row's Endpoint: [Gateway.Endpoint], which no other process has, nor the
//     same one after a restart: Options.Endpoint, "/", the node's name, "-", and 13
//     characters of a to z and 2 to 7. It is taken before the first row is
//     written, and renewed three times in [Options.LeaseTTL].
//   - Only an expired lease lets others remove the rows of an endpoint; a
//     refused connection alone proves nothing. Whoever does takes the lease
//     first: SaveRecord with Rev 1, which is ErrConflict while the node lives.
//     Then it removes the rows with that Endpoint, and then the record. It never
//     renews it: rows that are not removed by the time it expires are left to
//     whoever takes it next.
//   - A node that stalled and finds its lease expired refuses connections (503)
//     until it has taken it again, and then renews the row of every socket: one
//     whose row is gone is closed with 1001, and its client connects again.
//   - Clocks may differ by less than two thirds of LeaseTTL. After
//     [Gateway.Shutdown], which must be called, there is no lease.
//
// # Compression
//
// With [Options.Compress] the gateway accepts an offer of permessage-deflate
// (RFC 7692), on condition that each message is compressed by itself, in both
// directions. So an idle socket holds not a byte more, a payload is compressed
// once for all sockets, and the frames are shared as plain ones are. The price
// is that what a message has in common with earlier ones saves nothing.
//
//	JSON, on the wire    200 B   1,029 B   8,193 B   131,082 B
//	compressed           158 B     460 B   2,601 B    37,888 B
//	CPU to compress       4 µs      9 µs     27 µs      0.7 ms
//	CPU to decompress     2 µs      4 µs     19 µs      0.3 ms
//
// That is what BenchmarkDeflate and BenchmarkInflate of internal/ws tell, on one
// core of an AMD EPYC, of a list of items with random ids. A reply is compressed
// for its own socket, at the same price. What would not become smaller goes out
// plain, and so do error and closing frames that this package makes, pongs, and
// everything to clients that made no offer.
//
// Memory is held only while a message is worked on, and pooled: 1.2 MB to
// compress one, 43 KB and the message to decompress one, about once for each
// processor. What a client sends is decompressed up to 128 KB and no further
// (1009), whatever it would become; what cannot be is 1007. Made to be slow, a
// message of 128 KB takes 15 ms of CPU and more (BenchmarkInflateSlow), fifty
// times an honest one: where you do not trust your clients, lower
// [Options.MessageRate] or do without.
//
// The length of a compressed message tells whether it repeats itself, over TLS
// too: do not put a secret beside text of somebody else's choice.
//
// # Not here
//
// Origins are the App's, tokens the authorizer's. TLS and the time that a client may
// take to send its request are the [net/http.Server]'s: see [Server].
//
// # Cost
//
// [Gateway.Listener] answers the usual handshake below net/http, for four fifths
// of the CPU; everything else is still the server's. Without it the Gateway is a
// handler like others.
//
// An idle socket has no buffer, and on Linux no goroutine: one epoll waits for
// all of them, which is 2.1 KB for a socket where a goroutine each made 5.0.
// Elsewhere a socket waits in a goroutine with the smallest stack. All times of
// all sockets are watched by one goroutine.
//
// A ping and its answer take some 30 µs of CPU (BenchmarkHeartbeat): 15,000 quiet
// sockets, 2 % of a core. The frame is shared, and the answer wakes a socket for
// just as long as it takes to read it.
//
// A post encodes its frames once for all sockets, and whatever is pending for a
// socket goes out in one write: in a burst the system calls, which are what a
// fan-out costs, are shared too. While posts keep coming, half of the processors
// write, and pause where posts come faster than they write, so that more is
// joined; once they stop, all do.
//
// TLS sockets work the same but for their own buffers, which crypto/tls keeps:
// 10 KB for an idle one where a plain one has 2 KB. A write to one can only be
// waited for: a client that does not read holds up the others for 0.2 ms, once.
package gateway
