package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

var managementCreds = gateway.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "the secret", Region: "local"}

// managementClient is what a backend in another process has: the AWS SDK.
func managementClient(endpoint string, c gateway.Credentials) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       c.Region,
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}, nil
		}),
	})
}

// A socket is posted to, described and closed over HTTP, by its id alone. The
// clock is the real one, as the SDK's is.
func TestManagementReachesSockets(t *testing.T) {
	leak.Check(t)
	connected := make(chan sumu.Connection, 1)
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	})
	app, err := sumu.NewApp(auth, &memstore.Store{}, func(o *sumu.AppOptions) {
		o.Observer.Connected = func(_ context.Context, c sumu.Connection) { connected <- c }
	})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := gateway.New(app)
	if err != nil {
		t.Fatal(err)
	}
	sockets, api := newServer(t, gw, gw), newServer(t, gw, gw.Management(managementCreds))
	sockets.Start()
	api.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		sockets.Close()
		api.Close()
	})
	conn := wstest.Dial(t, sockets.URL)
	id := (<-connected).ID

	stranger := managementCreds
	stranger.SecretAccessKey = "another"
	client := managementClient(api.URL+"/prod", managementCreds)
	post := func(c *apigatewaymanagementapi.Client, data string) error {
		_, err := c.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte(data)})
		return err
	}
	var forbidden *types.ForbiddenException
	if err := post(managementClient(api.URL+"/prod", stranger), "forged"); !errors.As(err, &forbidden) {
		t.Errorf("a stranger's post: %v", err)
	}
	if err := post(client, `{"hello":"wörld"}`); err != nil {
		t.Fatal(err)
	}
	conn.ExpectText(`{"hello":"wörld"}`) // And not what the stranger posted.

	got, err := client.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(got.Identity.SourceIp) != "127.0.0.1" || time.Since(*got.ConnectedAt) > time.Minute || got.LastActiveAt.Before(*got.ConnectedAt) {
		t.Errorf("got %+v %+v", got, got.Identity)
	}
	if _, err := client.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id}); err != nil {
		t.Fatal(err)
	}
	conn.ExpectClose(1000)
	conn.Send(wstest.Close(1000, ""))
	conn.ExpectEnd()
	var gone *types.GoneException
	if err := post(client, "late"); !errors.As(err, &gone) {
		t.Errorf("a post to a closed socket: %v", err)
	}
}

func ExampleGateway_Management() {
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	})
	app, err := sumu.NewApp(auth, &memstore.Store{})
	if err != nil {
		fmt.Println(err)
		return
	}
	gw, err := gateway.New(app)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Clients reach the sockets; only backends reach the management API.
	creds := gateway.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "from your vault"}
	api := httptest.NewServer(gw.Management(creds))
	defer api.Close()
	fmt.Println(creds)

	// A backend, with the AWS SDK.
	client := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: aws.String(api.URL),
		Region:       "local", // Any, for these credentials.
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey}, nil
		}),
	})
	_, err = client.PostToConnection(context.Background(), &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: aws.String("R0oXAdfD0kwCH6w="),
		Data:         []byte(`{"hello":"world"}`),
	})
	var gone *types.GoneException
	fmt.Println("gone:", errors.As(err, &gone))
	// Output:
	// Credentials("AKIDEXAMPLE", region "", secret redacted)
	// gone: true
}
