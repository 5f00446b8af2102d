package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lambdaScript is a function in shell, which is slow but can do all that a
// function must not.
func lambdaScript(t *testing.T, body string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// startRuntimeAPI returns a Runtime API until the test ends, and this program, to
// be started again as its function.
func startRuntimeAPI(t *testing.T) (api *runtimeAPI, self string) {
	t.Helper()
	noChildren(t)
	api, stop, err := newRuntimeAPI()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	if self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	return api, self
}

func TestRuntimeAPIMeasuresUntilTheMoment(t *testing.T) {
	api, self := startRuntimeAPI(t)
	outer := lambdaScript(t, "exec '"+self+"' "+roleEcho+"\n")
	event := [][]byte{[]byte(`{"n":1}`), []byte(`{"n":2}`)}
	for _, until := range []int{untilAsked, untilAnswered, untilLater} {
		s, err := api.start(t.Context(), outer, os.Environ(), until, event[:until]...)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.answers) != until || s.wall <= 0 || s.cpu <= 0 || s.cpu > time.Hour || (s.later > 0) != (until > 0) {
			t.Errorf("until %d: %+v", until, s)
		}
		for i, got := range s.answers {
			if string(got) != string(event[i]) {
				t.Errorf("answer %d is %s, want its event", i, got)
			}
		}
	}
}

func TestRuntimeAPITellsWhyAFunctionFailed(t *testing.T) {
	api, self := startRuntimeAPI(t)
	for name, tt := range map[string]struct{ script, want string }{
		"it ends":      {"echo no such setting >&2; exit 3", "no such setting"},
		"its status":   {"exit 3", "exit status 3"},
		"it has erred": {"exec '" + self + "' " + roleEcho + " fails", "it has told an error"},
	} {
		_, err := api.start(t.Context(), lambdaScript(t, tt.script), os.Environ(), untilAnswered, []byte("{}"))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tt.want)
		}
	}
	if _, err := api.start(t.Context(), filepath.Join(t.TempDir(), "missing"), nil, untilAsked); err == nil {
		t.Error("a function that is not there has started")
	}
}

// roleEcho is a function that answers with its event, or that fails.
const roleEcho = "role-echo"

// runEchoRole runs the function, if the arguments name it.
func runEchoRole(args []string) bool {
	if len(args) == 0 || args[0] != roleEcho {
		return false
	}
	if err := runEcho(len(args) > 1); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return true
}

func runEcho(fails bool) error {
	upstream := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API")
	client := new(http.Client)
	for {
		id, event, err := nextEvent(client, upstream)
		if err != nil {
			return err
		}
		if fails {
			resp, err := client.Post(upstream+"/2018-06-01/runtime/invocation/"+id+"/error", "application/json", bytes.NewReader(event))
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
		if err := sendAnswer(client, upstream, id, event); err != nil {
			return err
		}
	}
}
