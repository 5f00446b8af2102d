package components

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/freeport"
	"github.com/sumu-live/sumu/internal/testlog"
)

// API is a WebSocket API that an emulator of API Gateway serves, for one test.
type API struct {
	URL        string // of clients: ws://…
	Management string // the management endpoint, without /@connections
}

// Function is a Lambda function: a binary as the runtime provided.al2023 runs
// it, and its environment, which may depend on where the API is.
type Function struct {
	Bootstrap string
	Env       func(API) map[string]string
}

// emulator is how one of them is started in a folder of its own.
type emulator struct {
	name   string
	module string // in node_modules: what is run
	args   []string
	// api tells where it will serve, on two free ports.
	api     func(ports [2]int) API
	env     func(ports [2]int) []string
	prepare func(dir string, a API, ports [2]int) error
}

// start starts the emulator, which ends with the test. What it logs is told
// when the test fails; make test looks for secrets in it, as our functions
// write there.
func (e *emulator) start(t testing.TB) API {
	t.Helper()
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs " + e.name + "; run it with: make test")
	}
	tooling, err := toolingDir()
	if err == nil {
		err = exists(filepath.Join(tooling, "node_modules", e.module))
	}
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	var a API
	for range 3 { // Another program may take a port before it does.
		a, err = e.try(t, filepath.Join(tooling, "node_modules", e.module))
		if !errors.Is(err, errEnded) {
			break
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	return a
}

func (e *emulator) try(t testing.TB, script string) (API, error) {
	a, log, end, err := e.launch(t.TempDir(), script)
	if err != nil {
		return API{}, err
	}
	t.Cleanup(func() {
		if err := end.Close(); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		testlog.Logger().Debug("emulator", "name", e.name, "log", tail(log))
		if t.Failed() {
			t.Logf("%s:\n%s", e.name, tail(log))
		}
		log.Close()
	})
	return a, nil
}

// launch starts the emulator in an empty folder. The caller closes end, which
// ends it, and then the log.
func (e *emulator) launch(dir, script string) (a API, log *os.File, end io.Closer, err error) {
	var ports [2]int
	for i := range ports {
		if ports[i], err = freeport.Take(); err != nil {
			return API{}, nil, nil, err
		}
	}
	a = e.api(ports)
	if err := e.prepare(dir, a, ports); err != nil {
		return API{}, nil, nil, err
	}
	l := launch{
		argv: append([]string{"node", script}, e.args...), env: e.env(ports), dir: dir,
		endpoint: fmt.Sprint("http://127.0.0.1:", ports[0]), patience: 90 * time.Second,
	}
	log, end, err = l.start()
	return a, log, end, err
}

// open starts the emulator for a program that is no test, which closes what is
// returned.
func (e *emulator) open(dir string) (API, *Running, error) {
	tooling, err := toolingDir()
	if err != nil {
		return API{}, nil, err
	}
	script := filepath.Join(tooling, "node_modules", e.module)
	if err := exists(script); err != nil {
		return API{}, nil, err
	}
	for i := range 3 { // Another program may take a port before it does.
		try := filepath.Join(dir, fmt.Sprint("try-", i))
		if err := os.Mkdir(try, 0o755); err != nil {
			return API{}, nil, err
		}
		var a API
		var r Running
		if a, r.log, r.end, err = e.launch(try, script); err == nil {
			return a, &r, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return API{}, nil, fmt.Errorf("%s: %w", e.name, err)
}

// Running is an emulator that a program has started.
type Running struct {
	log *os.File
	end io.Closer
}

// Log returns the last of what the emulator and its functions have logged.
func (r *Running) Log() string { return tail(r.log) }

// Close ends the emulator, and waits for its end.
func (r *Running) Close() error { return errors.Join(r.end.Close(), r.log.Close()) }

// variables returns them as lines NAME="value".
func variables(vars map[string]string) (string, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if strings.ContainsAny(vars[name], "\"\\\n$") {
			return "", fmt.Errorf("the value of %s cannot be quoted", name)
		}
		fmt.Fprintf(&b, "%s=%q\n", name, vars[name])
	}
	return b.String(), nil
}

// write writes files into a folder, and makes the folders that they are in.
func write(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
