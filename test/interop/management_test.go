package interop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"

	"github.com/sumu-live/sumu/gateway"
)

var interopKey = gateway.Credentials{AccessKeyID: "AKIDINTEROP", SecretAccessKey: "interop"}

// sdk posts "hello" to a connection, asks about it, closes it, and tells when it
// was connected.
type sdk struct {
	name string
	run  func(ctx context.Context, endpoint, connection string) (connectedAt string, err error)
	// skew: it corrects a clock that is off, as botocore does nowhere.
	skew bool
}

func sdks(t *testing.T) []sdk {
	t.Helper()
	python, err := exec.Command("./setup.sh").Output()
	if err != nil {
		t.Fatalf("setup.sh: %v", err)
	}
	return []sdk{
		{"Go", goSDK, true},
		{"JavaScript", program("node", "management.mjs"), true},
		{"boto3", program(strings.TrimSpace(string(python)), "management.py"), false},
		{"AWS CLI", cli(t), false},
	}
}

func goSDK(ctx context.Context, endpoint, connection string) (string, error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: interopKey.AccessKeyID, SecretAccessKey: interopKey.SecretAccessKey}, nil
		}),
	})
	if _, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &connection, Data: []byte("hello")}); err != nil {
		return "", err
	}
	got, err := client.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &connection})
	if err != nil {
		return "", err
	}
	if _, err := client.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &connection}); err != nil {
		return "", err
	}
	return got.ConnectedAt.UTC().Format(time.RFC3339Nano), nil
}

// program runs a script of this folder.
func program(interpreter, script string) func(ctx context.Context, endpoint, connection string) (string, error) {
	return func(ctx context.Context, endpoint, connection string) (string, error) {
		return output(exec.CommandContext(ctx, interpreter, script, endpoint, connection))
	}
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// cli takes the message from a file: how a version reads one from the command
// line differs.
func cli(t *testing.T) func(ctx context.Context, endpoint, connection string) (string, error) {
	message := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(message, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, endpoint, connection string) (at string, err error) {
		for _, args := range [][]string{
			{"post-to-connection", "--data", "fileb://" + message},
			{"get-connection", "--query", "ConnectedAt", "--output", "text"},
			{"delete-connection"},
		} {
			cmd := exec.CommandContext(ctx, "aws", append([]string{"apigatewaymanagementapi"}, append(args,
				"--endpoint-url", endpoint, "--connection-id", connection, "--region", "us-east-1")...)...)
			cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+interopKey.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+interopKey.SecretAccessKey,
				"AWS_SESSION_TOKEN=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
			out, err := output(cmd)
			if err != nil {
				return "", err
			}
			at = cmp.Or(at, out)
		}
		return at, nil
	}
}

// TestManagementWithSDKs: the SDKs as they come, whatever way their users write
// the endpoint, and however wrong their clock is. Here it is the server's that is
// off, which the answers' Date tells as well.
func TestManagementWithSDKs(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs SDKs in JavaScript and Python; run it with: make test")
	}
	all := sdks(t)
	for _, off := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		now := func() time.Time { return time.Now().Add(off) }
		s := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.Now = now }}})
		pages := http.NewServeMux()
		pages.HandleFunc("/", http.NotFound)
		api := s.gw.WithManagement(pages, interopKey)
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
			api.ServeHTTP(w, r)
		}))
		t.Cleanup(web.Close)
		for _, client := range all {
			for _, path := range []string{"", "/", "/prod", "/prod/", "/a/b"} {
				if off != 0 && (!client.skew || path != "/prod/") {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v/at %q", client.name, off, path), func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
					defer cancel()
					socket, err := dialCoder(ctx, s.address(t, client.name))
					if err != nil {
						t.Fatal(err)
					}
					defer socket.Drop() //nolint:errcheck // It has ended, if all went well.
					c := s.opened(t, client.name)
					at, err := client.run(ctx, web.URL+path, c.ID)
					if err != nil {
						t.Fatal(err)
					}
					if text, err := socket.Receive(); text != "hello" || err != nil {
						t.Errorf("the client got %q, %v", text, err)
					}
					if got, err := time.Parse(time.RFC3339, at); err != nil || got.Sub(c.ConnectedAt).Abs() > time.Second {
						t.Errorf("connected at %q, want %v", at, c.ConnectedAt)
					}
					if text, err := socket.Receive(); err == nil {
						t.Errorf("after the delete the client got %q", text)
					}
				})
			}
		}
	}
}
