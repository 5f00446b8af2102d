package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Until when a function that is started runs.
const (
	untilAsked    = 0 // it asks for an event: its initialisation is over
	untilAnswered = 1 // it has answered one
	untilLater    = 2 // and another one
)

const (
	runtimeNext      = "/2018-06-01/runtime/invocation/next"
	runtimeRequestID = "Lambda-Runtime-Aws-Request-Id"
	// runtimePatience is how long a function may take for all of it, on a busy machine.
	runtimePatience = time.Minute
)

// runtimeAPI is Lambda's Runtime API for one function at a time: what the
// runtime of a function asks for events and tells its answers, see
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html (read 2026-11).
type runtimeAPI struct {
	address string
	mu      sync.Mutex
	life    *life // of the running function
}

// life is what one start of a function showed.
type life struct {
	until  int      // one of the above
	events [][]byte // as many as it is to answer
	over   chan error

	asked, answered []time.Time // for each event
	answers         [][]byte
}

// started is what the operating system says of a start. The process is killed
// when the moment has come, so that all of its time is that until then.
type started struct {
	wall    time.Duration // from just before the program's execution
	cpu     time.Duration // user and system
	later   time.Duration // of the last event, from when it was asked for
	answers [][]byte
}

// newRuntimeAPI serves until stop is called.
func newRuntimeAPI() (api *runtimeAPI, stop func() error, err error) {
	api = new(runtimeAPI)
	api.address, stop, err = serveLocally(api, nil)
	return api, stop, err
}

// serveLocally serves HTTP on the loopback interface, over TLS with a configuration.
func serveLocally(h http.Handler, secure *tls.Config) (address string, stop func() error, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = ln.Addr().String()
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	return address, func() error {
		err := srv.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}

// start runs a function until the moment, and returns what it took. The events
// are as many as it is to answer, and one for untilAsked, which it never gets.
func (a *runtimeAPI) start(ctx context.Context, bootstrap string, env []string, until int, events ...[]byte) (s started, err error) {
	ctx, cancel := context.WithTimeout(ctx, runtimePatience)
	defer cancel()
	l := &life{until: until, events: events, over: make(chan error, 1)}
	a.mu.Lock()
	a.life = l
	a.mu.Unlock()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, bootstrap)
	cmd.Env = append(slices.Clone(env), "AWS_LAMBDA_RUNTIME_API="+a.address)
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return s, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-l.over:
		_ = cmd.Process.Kill()
		<-ended
	case <-ended:
		err = fmt.Errorf("it ended by itself: %v", cmd.ProcessState)
	}
	a.mu.Lock() // The last request is handled: nothing writes to l any more.
	a.life = nil
	a.mu.Unlock()
	if err != nil {
		return s, fmt.Errorf("%w\n%s", err, strings.TrimSpace(said.String()))
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.answers = l.answers
	s.wall = l.asked[0].Sub(began)
	if n := len(l.answered); n > 0 {
		s.wall = l.answered[0].Sub(began)
		s.later = l.answered[n-1].Sub(l.asked[n-1])
	}
	return s, nil
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if hang := a.serve(w, r, body, now); hang {
		<-r.Context().Done() // It is killed.
	}
}

// serve says whether the function is to wait for its end.
func (a *runtimeAPI) serve(w http.ResponseWriter, r *http.Request, body []byte, now time.Time) (hang bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.life
	if l == nil { // Of a function that is being killed.
		return true
	}
	switch {
	case r.URL.Path == runtimeNext:
		l.asked = append(l.asked, now)
		n := len(l.answered)
		if l.until == untilAsked || n == len(l.events) {
			l.end(nil)
			return true
		}
		h := w.Header()
		h.Set(runtimeRequestID, strconv.Itoa(n))
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(now.Add(runtimePatience).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:bench")
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(l.events[n])
	case strings.HasSuffix(r.URL.Path, "/response"):
		l.answered, l.answers = append(l.answered, now), append(l.answers, body)
		if len(l.answered) == l.until {
			l.end(nil)
			return true
		}
		w.WriteHeader(http.StatusAccepted)
	default: // /error of an invocation, or init/error.
		l.end(fmt.Errorf("it has told an error: %s", body))
		return true
	}
	return false
}

func (l *life) end(err error) {
	select {
	case l.over <- err:
	default: // It was told before.
	}
}

// nextEvent asks a Runtime API for an event.
func nextEvent(client *http.Client, address string) (id string, event []byte, err error) {
	resp, err := client.Get(address + runtimeNext)
	if err != nil {
		return "", nil, err
	}
	event, err = io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("no event: %s", resp.Status)
	}
	return resp.Header.Get(runtimeRequestID), event, err
}

// sendAnswer tells a Runtime API the answer to an event.
func sendAnswer(client *http.Client, address, id string, answer []byte) error {
	resp, err := client.Post(address+strings.TrimSuffix(runtimeNext, "next")+id+"/response", "application/json", bytes.NewReader(answer))
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the answer is refused: %s", resp.Status)
	}
	return nil
}
