// Package cloud makes the clients of AWS that the functions share.
package cloud

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
)

// Cloud makes clients for the account and region of the function. It is for the
// start of a program: one goroutine.
type Cloud struct {
	Config aws.Config
	env    *env.Env
	sqs    *sqs.Client
}

// New reads what Lambda tells a function: its region and the credentials of its
// role, which live as long as its process. That is all a function needs; the
// SDK's config module, with its files and providers, would cost cold starts
// megabytes.
func New(e *env.Env) *Cloud {
	creds := aws.Credentials{
		AccessKeyID:     e.Required("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: e.Required("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    e.String("AWS_SESSION_TOKEN", ""),
		Source:          "environment",
	}
	return &Cloud{env: e, Config: aws.Config{
		Region: e.Required("AWS_REGION"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			if !creds.HasKeys() {
				return aws.Credentials{}, errors.New("no credentials in the environment")
			}
			return creds, nil
		}),
	}}
}

// endpoint is that of another place than AWS, for tests: the variables are the
// SDK's own.
func (c *Cloud) endpoint(service string) *string {
	if u := c.env.String("AWS_ENDPOINT_URL_"+service, c.env.String("AWS_ENDPOINT_URL", "")); u != "" {
		return &u
	}
	return nil
}

// DynamoDB returns a client.
func (c *Cloud) DynamoDB() *dynamodb.Client {
	return dynamodb.NewFromConfig(c.Config, func(o *dynamodb.Options) { o.BaseEndpoint = c.endpoint("DYNAMODB") })
}

// SQS returns a client, the same every time: a function with several queues
// makes its connections, with TLS, once.
func (c *Cloud) SQS() *sqs.Client {
	if c.sqs == nil {
		c.sqs = sqs.NewFromConfig(c.Config, func(o *sqs.Options) { o.BaseEndpoint = c.endpoint("SQS") })
	}
	return c.sqs
}

// SNS returns a client.
func (c *Cloud) SNS() *sns.Client {
	return sns.NewFromConfig(c.Config, func(o *sns.Options) { o.BaseEndpoint = c.endpoint("SNS") })
}

// Store returns the store in the two tables.
func (c *Cloud) Store() (*dynamostore.StateStore, error) {
	return dynamostore.NewWithState(c.DynamoDB(), func(o *dynamostore.Options) {
		o.Connections = c.env.String("SUMU_CONNECTIONS_TABLE", "connections")
		o.State = c.env.String("SUMU_STATE_TABLE", "state")
	})
}

// SendLater sends text to a queue, to be received after a time of up to 15
// minutes, rounded up to a second.
func SendLater(ctx context.Context, client *sqs.Client, queueURL, text string, after time.Duration) error {
	const longest = 15 * time.Minute // SQS's (read 2026-11)
	after = min(max(after, 0), longest)
	_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &queueURL, MessageBody: &text, DelaySeconds: int32((after + time.Second - 1) / time.Second),
	})
	return err
}
