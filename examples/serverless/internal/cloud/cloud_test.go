package cloud_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/examples/serverless/internal/cloud"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
)

func TestSendLater(t *testing.T) {
	var got, auth string
	queue := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, auth = string(body), r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, `{"MessageId":"m1","MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592"}`) // of "hello"
	}))
	defer queue.Close()
	vars := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SQS": queue.URL,
	}
	e := env.New(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
	client := cloud.New(e).SQS()
	if err := e.Err(); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]string{
		-time.Second: `"MessageBody"`, 0: `"MessageBody"`, time.Millisecond: `"DelaySeconds":1`,
		10 * time.Second: `"DelaySeconds":10`, time.Hour: `"DelaySeconds":900`,
	} {
		if err := cloud.SendLater(t.Context(), client, queue.URL+"/1/checks", "hello", after); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, want) || !strings.Contains(got, `"MessageBody":"hello"`) || strings.Contains(got, "DelaySeconds") != (after > 0) {
			t.Errorf("after %v: sent %s, want %s", after, got, want)
		}
		if !strings.Contains(auth, "Credential=AKID/") || !strings.Contains(auth, "/eu-west-1/sqs/") {
			t.Errorf("signed as %.60s", auth)
		}
	}
}

// Two clients would make two connections.
func TestOneClientOfSQS(t *testing.T) {
	c := cloud.New(env.New(func(string) (string, bool) { return "x", true }))
	if a, b := c.SQS(), c.SQS(); a != b {
		t.Error("a second call makes a second client")
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	e := env.New(func(string) (string, bool) { return "", false })
	c := cloud.New(e)
	for _, want := range []string{"AWS_REGION is not set", "AWS_ACCESS_KEY_ID is not set", "AWS_SECRET_ACCESS_KEY is not set"} {
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if creds, err := c.Config.Credentials.Retrieve(t.Context()); err == nil {
		t.Errorf("there are credentials: %+v", creds)
	}
}
