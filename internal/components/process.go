package components

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sumu-live/sumu/internal/freeport"
)

// guard runs a component and ends it when its own standard input ends: the test
// binary holds the other end, so that nothing is left running whether it
// returns, panics or is killed.
const guard = `
exec 3<&0
"$@" </dev/null 3<&- &
component=$!
{ cat <&3 >/dev/null; kill -9 "$component" 2>/dev/null; } &
exec 3<&-
wait "$component"
echo "` + ended + `$?"
`

const ended = "the component ended with status "

// onceResult remembers whether something that is done once has worked.
type onceResult struct {
	once sync.Once
	err  error
}

func (o *onceResult) do(f func() error) { o.once.Do(func() { o.err = f() }) }

// errEnded: the component ended before it answered, for one because another
// program took the port between its choice and its use.
var errEnded = errors.New("it ended by itself")

// run starts the component and returns its endpoint once it answers.
func (c *component) run() (endpoint string, err error) {
	tooling, err := toolingDir()
	if err != nil {
		return "", err
	}
	for range 3 {
		if endpoint, err = c.try(tooling); !errors.Is(err, errEnded) {
			break
		}
	}
	return endpoint, err
}

func (c *component) try(tooling string) (endpoint string, err error) {
	port, err := freeport.Take()
	if err != nil {
		return "", err
	}
	argv, err := c.command(tooling, port)
	if err != nil {
		return "", err
	}
	l := launch{argv: argv, patience: c.patience, endpoint: fmt.Sprint("http://127.0.0.1:", port)}
	if c.env != nil {
		l.env = c.env(port)
	}
	log, end, err := l.start()
	if err != nil {
		return "", err
	}
	log.Close()
	held.Store(l.endpoint, end)
	return l.endpoint, nil
}

// launch is one start of a program.
type launch struct {
	argv, env []string
	dir       string // default: the one of the test
	endpoint  string // where it answers once it is ready
	patience  time.Duration
}

// start returns once the program answers, with what it logs and with the pipe
// that ends it.
func (l *launch) start() (log *os.File, end io.Closer, err error) {
	log, err = os.CreateTemp("", "sumu-component-")
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(log.Name())
	cmd := exec.Command("sh", append([]string{"-c", guard, "guard"}, l.argv...)...)
	// A file needs no goroutine that copies: one would count as leaked by the
	// test that was the first to ask.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = l.dir
	if len(l.env) > 0 {
		cmd.Env = append(os.Environ(), l.env...)
	}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		log.Close()
		return nil, nil, err
	}
	end = &running{stdin, cmd}
	if err := await(l.endpoint, l.patience, log); err != nil {
		end.Close()
		log.Close()
		return nil, nil, err
	}
	return log, end, nil
}

// running is a program that has started.
type running struct {
	stdin io.Closer
	cmd   *exec.Cmd
}

// Close ends the program and waits for its end.
func (r *running) Close() error {
	err := r.stdin.Close()
	_ = r.cmd.Wait() // It was killed.
	return err
}

// held keeps the pipes from being collected, which would close them.
var held sync.Map

// await returns once the endpoint answers anything at all.
func await(endpoint string, patience time.Duration, log *os.File) error {
	client := &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{DisableKeepAlives: true}, // No goroutine stays.
	}
	deadline := time.Now().Add(patience)
	for {
		resp, err := client.Get(endpoint)
		if err == nil {
			resp.Body.Close()
		}
		said := tail(log)
		switch {
		case strings.Contains(said, ended):
			return fmt.Errorf("%w:\n%s", errEnded, said)
		case err == nil:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("it does not answer within %v: %w\n%s", patience, err, said)
		}
		time.Sleep(20 * time.Millisecond) // Another program's start is nothing to be told of.
	}
}

// tail returns the last of what was logged.
func tail(log *os.File) string {
	info, err := log.Stat()
	if err != nil {
		return err.Error()
	}
	const most = 8 << 10
	from := max(info.Size()-most, 0)
	text, err := io.ReadAll(io.NewSectionReader(log, from, most))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// toolingDir finds test/tooling of this repository from any of its packages.
func toolingDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		tooling := filepath.Join(dir, "test/tooling")
		if exists(filepath.Join(tooling, "package-lock.json")) == nil {
			return tooling, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("test/tooling is not in a folder above the test")
		}
		dir = parent
	}
}

func exists(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w; install it with: make components", err)
	}
	return nil
}

// one returns the only path that matches.
func one(pattern string) (string, error) {
	paths, err := filepath.Glob(pattern)
	if err == nil && len(paths) != 1 {
		err = fmt.Errorf("%d files match %s; install it with: make components", len(paths), pattern)
	}
	if err != nil {
		return "", err
	}
	return paths[0], nil
}
