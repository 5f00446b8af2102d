package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu/internal/freeport"
)

// Emulators of AWS, which "make components" installs.
const (
	emulatorSQS    = "fauxqs"
	emulatorDynamo = "dynoxide"
)

// errNotInstalled: a case that needs an emulator is left out, and says so.
var errNotInstalled = errors.New("is not installed; run: make components")

// skipped takes note of a case that is left out for want of its emulator.
func skipped(t *table, what string, err error) error {
	if !errors.Is(err, errNotInstalled) {
		return err
	}
	t.note("%s: SKIPPED: %v", what, err)
	return nil
}

// emulator is a running one.
type emulator struct {
	endpoint string
	in       io.Closer
	cmd      *exec.Cmd
}

// emulatorGuard ends an emulator with its own standard input: none outlives the
// program that started it, however that ended.
const emulatorGuard = `"$@" </dev/null & p=$!; cat >/dev/null; kill -9 $p; wait $p`

// emulatorPatience is how long one may take to answer, on a busy machine too.
const emulatorPatience = time.Minute

func startEmulator(ctx context.Context, name string) (*emulator, error) {
	port, err := freeport.Take()
	if err != nil {
		return nil, err
	}
	argv, err := emulatorCommand(name, port)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	cmd := exec.Command("sh", append([]string{"-c", emulatorGuard, name}, argv...)...)
	cmd.Env = append(os.Environ(), "FAUXQS_LOGGER=false", "FAUXQS_PORT="+strconv.Itoa(port))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	e := &emulator{endpoint: fmt.Sprintf("http://127.0.0.1:%d", port), in: in, cmd: cmd}
	if err := e.await(ctx); err != nil {
		e.stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return e, nil
}

// emulatorCommand finds the program in test/tooling, of this folder or one above.
func emulatorCommand(name string, port int) ([]string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	modules := ""
	for ; ; dir = filepath.Dir(dir) {
		modules = filepath.Join(dir, "test/tooling/node_modules")
		if _, err := os.Stat(modules); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return nil, errNotInstalled
		}
	}
	file, argv := filepath.Join(modules, "@dynoxide/linux-x64/dynoxide"), []string(nil)
	switch name {
	case emulatorDynamo:
		argv = []string{file, "serve", "--host", "127.0.0.1", "--port", strconv.Itoa(port)}
	case emulatorSQS:
		file = filepath.Join(modules, "fauxqs/dist/cli.js")
		argv = []string{"node", "--require", filepath.Join(modules, "../loopback.cjs"), file}
	}
	if _, err := os.Stat(file); err != nil {
		return nil, errNotInstalled
	}
	return argv, nil
}

// await returns once the emulator answers anything at all.
func (e *emulator) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, emulatorPatience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.endpoint, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (e *emulator) stop() {
	_ = e.in.Close()
	_ = e.cmd.Wait() // It was killed.
}

// emulatorCredentials are ones that emulators do not look at.
var emulatorCredentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "bench"}, nil
})
