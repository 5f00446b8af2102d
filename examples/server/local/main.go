//go:build unix

// Local runs two nodes of the server on this machine, with all that they need:
//
//	make components
//	go run ./examples/server/local
//
// DynamoDB and SQS are stand-ins, which make components installs; tokens come
// from an issuer that gives one to whoever asks. It prints how to connect to
// one node and to notify through the other, and ends everything with Ctrl+C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
)

const (
	issuerName = "sumu-local"
	region     = "us-east-1"
)

func main() {
	port := flag.Int("port", 8080, "the issuer's port; the nodes have the two after it; 0: any free ones")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *port, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

// run returns when ctx has ended and all that it started has.
func run(ctx context.Context, port int, out, log io.Writer) (err error) {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	ports, err := choosePorts(port, 5)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sumu-local-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // It is the system's to clean up then.
	started := &programs{log: log}
	defer func() { err = errors.Join(err, started.end()) }()

	dynamo, queues, err := started.components(ctx, root, ports[3], ports[4])
	if err != nil {
		return err
	}
	queueURL, err := createQueue(ctx, queues, "requests")
	if err != nil {
		return err
	}
	messagesURL, err := createQueue(ctx, queues, "messages") // Your backend would read it.
	if err != nil {
		return err
	}
	issuerURL, closeIssuer, err := serveIssuer(ports[0])
	if err != nil {
		return err
	}
	defer closeIssuer()

	binary := filepath.Join(dir, "server")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./examples/server")
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	secret := sumu.NewID()
	urls := make([]string, 2)
	for i, name := range []string{"a", "b"} {
		addr := fmt.Sprintf("127.0.0.1:%d", ports[1+i])
		urls[i] = "http://" + addr
		node := exec.Command(binary, "-create-tables")
		node.Env = append(os.Environ(),
			"AWS_REGION="+region, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_SESSION_TOKEN=",
			"AWS_ENDPOINT_URL_DYNAMODB="+dynamo, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS="+dynamo, "AWS_ENDPOINT_URL_SQS="+queues,
			"SUMU_REQUESTS_QUEUE_URL="+queueURL, "SUMU_MESSAGES_QUEUE_URL="+messagesURL,
			"SUMU_OPEN_CHANNELS=true", "SUMU_DEFAULT_CHANNEL=default", "SUMU_REQUIRE_EVERYONE=true", "SUMU_PRESENCE_GRACE=2s",
			"SUMU_NODE="+name, "SUMU_LISTEN="+addr, "SUMU_ENDPOINT="+urls[i], "SUMU_NODE_HOSTS=127.0.0.1:*",
			"SUMU_NODE_ACCESS_KEY_ID=nodes", "SUMU_NODE_SECRET_ACCESS_KEY="+secret, "SUMU_NOTIFY_SECRET="+secret,
			"SUMU_LEASE_TTL=10s", "SUMU_SWEEP=10s",
			"JWT_ISSUER_JWKS_URI="+issuerURL+keysPath, "JWT_ISSUER="+issuerName, "JWT_AUTHORIZED_AUDIENCES="+issuerName)
		if err := started.start("node "+name, node); err != nil {
			return err
		}
		if err := answers(ctx, urls[i]+"/readyz", started); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	fmt.Fprintf(out, `
Two nodes are up; Ctrl+C ends them. Connect to one:

  TOKEN=$(curl -s '%[1]s/token?user=ann')
  npx --prefix test/tooling wscat -H "Authorization: Bearer $TOKEN" -c ws%[2]s/ws

and notify through the other:

  curl %[3]s/notify -H 'Authorization: Bearer %[4]s' -d '{"users":["ann"],"data":"Hello"}'

`, issuerURL, urls[0][len("http"):], urls[1], secret)
	select {
	case <-ctx.Done():
		return nil
	case err := <-started.ended:
		return err
	}
}

// createQueue makes a queue as it should be: what fails five
// times goes to another queue, which keeps it for longer.
func createQueue(ctx context.Context, endpoint, name string) (url string, err error) {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
	})
	client := sqs.New(sqs.Options{Region: region, Credentials: creds, BaseEndpoint: &endpoint})
	dead, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String(name + "-dead"), Attributes: map[string]string{"MessageRetentionPeriod": "1209600"},
	})
	if err != nil {
		return "", err
	}
	of, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: dead.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", err
	}
	queue, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{
		"MessageRetentionPeriod": "345600",
		"RedrivePolicy":          fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"5"}`, of.Attributes["QueueArn"]),
	}})
	if err != nil {
		return "", err
	}
	return *queue.QueueUrl, nil
}

// answers waits until something answers 200 at a URL.
func answers(ctx context.Context, url string, started *programs) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case err := <-started.ended:
			return err
		case <-ctx.Done():
			return fmt.Errorf("nothing answers at %s: %w", url, ctx.Err())
		}
	}
}
