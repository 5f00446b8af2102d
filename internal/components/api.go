package components

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	var ports [2]int
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			return API{}, err
		}
	}
	a, dir := e.api(ports), t.TempDir()
	if err := e.prepare(dir, a, ports); err != nil {
		return API{}, err
	}
	l := launch{
		argv: append([]string{"node", script}, e.args...), env: e.env(ports), dir: dir,
		endpoint: fmt.Sprint("http://127.0.0.1:", ports[0]), patience: 90 * time.Second,
	}
	log, end, err := l.start()
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
