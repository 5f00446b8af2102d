package defects_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/issuer"
)

// The setting "True" was not "true", and so expiry was not checked. This is
// the function as Lambda runs it. Only "false" lets a token without expiry in,
// in any case; nothing lets one in that has expired; and what is neither is
// not guessed.
func TestDefectTrueDisablesExpiry(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "github.com/sumu-live/sumu/examples/serverless/authorizer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	iss := must(issuer.New("ES256"))
	provider := httptest.NewServer(iss)
	defer provider.Close()
	var in []string
	for _, exp := range []any{time.Now().Add(-time.Hour).Unix(), nil} {
		in = append(in, string(connectEvent(map[string]string{"authorization": signed(iss, map[string]any{"exp": exp})}, nil)))
	}
	for _, tt := range []struct{ setting, want string }{
		{"", "[Unauthorized Unauthorized]"},
		{"True", "[Unauthorized Unauthorized]"},
		{"TRUE", "[Unauthorized Unauthorized]"},
		{"False", "[Unauthorized Allow]"},
		{"yes", "[does not start]"},
	} {
		got := runFunction(t, bin, in, "JWT_VERIFY_EXPIRATION="+tt.setting, "JWT_ISSUER_JWKS_URI="+provider.URL+issuer.Path,
			"JWT_ISSUER="+issuerName, "JWT_AUTHORIZED_AUDIENCES=chat")
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%q: expired, and without expiry: %q, want %s", tt.setting, got, tt.want)
		}
	}
}

// runFunction runs a function by Lambda's runtime API, once for each event,
// and returns what became of them.
func runFunction(t testing.TB, bin string, in []string, vars ...string) (verdicts []string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	answers := make(chan string, len(in))
	next := 0
	runtime := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		switch {
		case what == "next" && next < len(in):
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "r1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(10*time.Second).UnixMilli()))
			_, _ = io.WriteString(w, in[next])
			next++ // There is one request at a time.
		case what == "next":
			<-r.Context().Done() // It is killed.
		default:
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			answers <- verdict(what, body)
		}
	}))
	defer runtime.Close()
	cmd := exec.CommandContext(ctx, bin)
	cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(runtime.URL, "http://"), "AWS_REGION=us-east-1"}, vars...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	defer func() { stop(); <-ended }()
	for len(verdicts) < len(in) {
		select {
		case v := <-answers:
			verdicts = append(verdicts, v)
		case <-ended:
			return append(verdicts, "does not start")
		}
	}
	return verdicts
}

// verdict reads what a function has sent: a response or an error.
func verdict(what string, body []byte) string {
	var answer struct {
		ErrorMessage   string `json:"errorMessage"`
		PolicyDocument struct{ Statement []struct{ Effect string } }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err.Error()
	}
	if s := answer.PolicyDocument.Statement; what == "response" && len(s) == 1 {
		return s[0].Effect
	}
	return answer.ErrorMessage
}
