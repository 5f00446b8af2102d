package serverless_test

import (
	"context"
	"io"
	"net/rpc"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/sumu-live/sumu/internal/freeport"
)

// function is the binary as Lambda runs it, in the mode of the runtime that
// can be called from here.
type function struct {
	t      *testing.T
	client *rpc.Client
}

// start builds a function and starts it.
func start(t *testing.T, name string, logs io.Writer, vars ...string) *function {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", name, err, out)
	}
	free, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free)
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, bin)
	cmd.Env = append([]string{"_LAMBDA_SERVER_PORT=" + port}, vars...)
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() }) // It is killed.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); ; {
		if client, err := rpc.Dial("tcp", "127.0.0.1:"+port); err == nil {
			t.Cleanup(func() { _ = client.Close() })
			return &function{t, client}
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s does not listen", name)
		}
	}
}

// invoke returns the answer, or the text of the error.
func (f *function) invoke(event string) (answer, failed string) {
	f.t.Helper()
	in := &messages.InvokeRequest{Payload: []byte(event), RequestId: "r1"}
	in.Deadline.Seconds = time.Now().Add(10 * time.Second).Unix()
	var out messages.InvokeResponse
	if err := f.client.Call("Function.Invoke", in, &out); err != nil {
		f.t.Fatal(err)
	}
	if out.Error != nil {
		return "", out.Error.Message
	}
	return string(out.Payload), ""
}
