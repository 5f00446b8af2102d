package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sumu-live/sumu/internal/components"
)

// In the sandbox there is no authorizer, no SQS and no stream of DynamoDB: of the
// functions it can run websocket alone, which then verifies the token itself.
const coldSandbox = "cold start in the Architect sandbox, websocket"

// What connects to the sandbox show, in the order of the table. It starts the
// function for every event, so that no connect is a warm one.
var sandboxScales = []scale{
	in("ms, the first connect", "faster", "slower"),
	in("ms, a later connect", "faster", "slower"),
	in("ms until the first answer", "faster", "slower"),
	in("ms CPU until the first answer", "cheaper", "dearer"),
}

type sandboxSeries [4]series

func addColdSandbox(ctx context.Context, cfg *config, t *table, w *coldWorld, built map[string]lambdaBinary, dir string) error {
	const name = "websocket"
	var ours, floor sandboxSeries
	for i := range cfg.rounds {
		for _, turn := range []struct {
			bootstrap string
			into      *sandboxSeries
			acts      bool
		}{
			{built[name].bootstrap, &ours, true},
			{built[coldMinimal].bootstrap, &floor, false},
		} {
			sub := filepath.Join(dir, fmt.Sprintf("%d-%t", i, turn.acts))
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
			if err := w.sandboxRound(ctx, sub, turn.bootstrap, cfg.starts, turn.acts, turn.into); err != nil {
				return fmt.Errorf("coldstart, the sandbox: %w", err)
			}
		}
	}
	for i, sc := range sandboxScales {
		t.add(row{name: coldSandbox, peer: coldFloor, scale: sc, ours: ours[i], theirs: floor[i]})
	}
	t.note("the Architect sandbox looks for an answer every 25 ms and ends the function before it goes on: its own share is that of a function that does nothing. It starts a function for every event: there is no warm connect. It has no authorizer (websocket verifies the token itself), and its queues and streams send events that are not those of AWS: pusher and presence do not run in it")
	return nil
}

// sandboxRound starts a sandbox, connects to it, and then connects to it with
// the function in the hands of runBootstrap. Sockets stay open meanwhile:
// $disconnect would start the function too.
func (w *coldWorld) sandboxRound(ctx context.Context, dir, bootstrap string, connects int, acts bool, into *sandboxSeries) (err error) {
	link := filepath.Join(dir, "bootstrap")
	if err := os.Symlink(bootstrap, link); err != nil {
		return err
	}
	before, err := w.effects(ctx, "websocket")
	if err != nil {
		return err
	}
	a, sandbox, err := components.OpenArchitectSandbox(dir, components.Function{Bootstrap: link, Env: func(a components.API) map[string]string {
		vars := maps.Clone(w.vars)
		maps.Copy(vars, w.tokens)
		vars["SUMU_MANAGEMENT_ENDPOINT"] = a.Management
		return vars
	}})
	if err != nil {
		return err
	}
	var sockets []*websocket.Conn
	defer func() {
		for _, c := range sockets {
			err = errors.Join(err, c.Close())
		}
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, sandbox.Log())
		}
		err = errors.Join(err, sandbox.Close())
	}()
	connect := func() (time.Duration, error) {
		w.users++
		token, err := w.token(fmt.Sprintf("cold-%d", w.users))
		if err != nil {
			return 0, err
		}
		began := time.Now()
		c, resp, err := websocket.DefaultDialer.DialContext(ctx, a.URL+"/?authorization="+token, nil)
		took := time.Since(began)
		if err != nil {
			if resp != nil {
				err = fmt.Errorf("%w: %s", err, resp.Status)
			}
			return 0, err
		}
		sockets = append(sockets, c)
		return took, nil
	}
	first, err := connect()
	if err != nil {
		return err
	}
	var of sandboxSeries
	for range connects {
		took, err := connect()
		if err != nil {
			return err
		}
		of[1] = append(of[1], millis(took))
	}
	told := filepath.Join(dir, "told")
	if err := interpose(link, bootstrap, told); err != nil {
		return err
	}
	for range connects {
		if _, err := connect(); err != nil {
			return err
		}
	}
	starts, err := readStarts(told)
	if err != nil || len(starts) != connects {
		return errors.Join(fmt.Errorf("%d starts in the sandbox were measured, want %d", len(starts), connects), err)
	}
	for _, s := range starts {
		of[2], of[3] = append(of[2], millis(s.Wall)), append(of[3], millis(s.CPU))
	}
	into[0] = append(into[0], millis(first))
	for i := 1; i < len(of); i++ {
		into[i] = append(into[i], of[i].median())
	}
	after, err := w.effects(ctx, "websocket")
	if err == nil && acts && after-before != len(sockets) {
		err = fmt.Errorf("%d sockets have left %d rows", len(sockets), after-before)
	}
	return err
}

// roleBootstrap is the argument of what stands between the sandbox and the
// function; the function and a file follow.
const roleBootstrap = "role-bootstrap"

// interpose puts runBootstrap in a function's place.
func interpose(link, bootstrap, told string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	script := filepath.Join(filepath.Dir(link), "interposed")
	text := fmt.Sprintf("#!/bin/sh\nexec '%s' %s '%s' '%s'\n", exe, roleBootstrap, bootstrap, told)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return err
	}
	next := link + ".next"
	if err := os.Symlink(script, next); err != nil {
		return err
	}
	return os.Rename(next, link)
}

// oneStart is what runBootstrap writes: a line of JSON.
type oneStart struct{ Wall, CPU time.Duration }

func readStarts(file string) (starts []oneStart, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var s oneStart
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			return nil, err
		}
		starts = append(starts, s)
	}
	return starts, nil
}

// runBootstrap takes an event from the sandbox's Runtime API, starts the
// function with it at one of ours, writes what that took to a file, and hands on
// the answer.
func runBootstrap(function, file string) (err error) {
	upstream := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API")
	client := &http.Client{Timeout: runtimePatience}
	id, event, err := nextEvent(client, upstream)
	if err != nil {
		return err
	}
	api, stop, err := newRuntimeAPI()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	s, err := api.start(context.Background(), function, os.Environ(), untilAnswered, event)
	if err != nil {
		return err
	}
	line, err := json.Marshal(oneStart{s.wall, s.cpu})
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := out.Close(); err != nil {
		return err
	}
	return sendAnswer(client, upstream, id, s.answers[0])
}
