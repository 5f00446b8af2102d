package apigw_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

type nullTransport struct{ resp http.Response }

func (n *nullTransport) RoundTrip(*http.Request) (*http.Response, error) { return &n.resp, nil }

// What is ours of a post: everything but the transport.
func BenchmarkPost(b *testing.B) {
	for name, token := range map[string]string{"user": "", "role": strings.Repeat("t", 800)} {
		b.Run(name, func(b *testing.B) {
			creds := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: token}, nil
			}))
			sender, err := apigw.New(creds, "us-east-1", func(o *apigw.Options) {
				o.Endpoint = "https://abc123.execute-api.us-east-1.amazonaws.com/prod"
				o.Transport = &nullTransport{http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
			})
			if err != nil {
				b.Fatal(err)
			}
			p, err := sumu.NewPayload([]byte(strings.Repeat("x", 256)))
			if err != nil {
				b.Fatal(err)
			}
			c := sumu.Connection{UserID: "ann", ID: "R0oXAdfD0kwCH6w="}
			b.ReportAllocs()
			for b.Loop() {
				if err := sender.Post(context.Background(), c, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
