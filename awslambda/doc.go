// Package awslambda turns Lambda's events into calls of the root's types, so
// that the same App, pusher and presence run on AWS as on servers of your own.
//
// Each handler serves one part of the stack and takes the raw event, as
// aws-lambda-go's lambda.Start expects:
//
//	auth, err := awslambda.NewAuthorizer(tokens)      // REQUEST authorizer
//	ws, err := awslambda.NewWebSocket(app)            // $connect, $disconnect, messages
//	push, err := awslambda.NewPusher(worker)          // SQS, SNS, Kinesis -> sockets
//	seen, err := awslambda.NewPresence(watcher)       // DynamoDB stream, delayed checks
//	back, err := awslambda.NewBackend(awslambda.BackendOptions{Message: onMessage})
//	way, err := awslambda.NewHTTP(vendor)             // a function URL or an HTTP API
//	seen, err := awslambda.NewLifecycle(clients.Handle) // who comes and goes, on IoT Core
//	lambda.Start(push)
//
// Their methods with the types of aws-lambda-go's events package serve who
// wraps them in a function of one's own. A [Mux] makes one binary of several.
//
// # Delivery
//
// Batches are answered record by record: one that fails or cannot be read never
// takes another with it. The event source mapping must have
// FunctionResponseTypes set to ReportBatchItemFailures. Without it Lambda
// ignores the answer and deletes what failed.
//
//   - SQS: what failed comes again; the queue's redrive policy ends it.
//   - Kinesis and DynamoDB streams: everything from the first failed record on
//     comes again. A record that can never succeed would hold up its shard, so
//     it goes to a reject sink, where there is one.
//   - SNS: an error makes Lambda try again, twice by default, and then use the
//     function's dead-letter queue.
//
// A panic in code of yours is an error of its record, and the process goes on.
//
// # What is logged
//
// Nothing by default. A logger gets ids and errors, those of your own functions
// as they are; from what refused a connection everything that the client
// presented is taken out. No event, body or header is ever logged.
package awslambda
