package apigw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

func ExampleNew() {
	// Stands for API Gateway.
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "/left") {
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer api.Close()

	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
	})
	sender, err := apigw.New(creds, "us-east-1", func(o *apigw.Options) {
		o.Endpoint = api.URL + "/prod"
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sender.Close()

	p, err := sumu.NewPayload([]byte(`{"type":"order","id":7}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, id := range []string{"here", "left"} {
		err := sender.Post(ctx, sumu.Connection{UserID: "ann", ID: id}, p)
		fmt.Println(err, errors.Is(err, sumu.ErrGone))
	}
	// Output:
	// POST /prod/@connections/here
	// <nil> false
	// POST /prod/@connections/left
	// post left: connection gone: status 410 true
}

func ExampleEndpointFromDomain() {
	for _, domain := range []string{"abc123.execute-api.us-east-1.amazonaws.com", "ws.example.com"} {
		fmt.Println(apigw.EndpointFromDomain(domain, "prod"))
	}
	// Output:
	// https://abc123.execute-api.us-east-1.amazonaws.com/prod <nil>
	// https://ws.example.com <nil>
}

func ExampleNormalize() {
	fmt.Println(apigw.Normalize("wss://ABC123.execute-api.us-east-1.amazonaws.com/prod/"))
	fmt.Println(apigw.Normalize("https://abc123.execute-api.us-east-1.amazonaws.com"))
	// Output:
	// https://abc123.execute-api.us-east-1.amazonaws.com/prod <nil>
	//  endpoint at API Gateway lacks its stage: invalid
}
