package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// node runs a script of this folder. A line "ask …" of the script is answered
// by answer; its other lines are logged.
func node(t *testing.T, answer func(question string) string, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	steps := 0
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		line := lines.Text()
		if question, ok := strings.CutPrefix(line, "ask "); ok {
			fmt.Fprintln(stdin, answer(question))
			continue
		}
		if strings.HasPrefix(line, "ok ") {
			steps++
		}
		t.Log(line)
	}
	_, _ = io.Copy(io.Discard, stdout) // Only if a line was too long for the scanner.
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s ended with %v:\n%s", script, err, stderr.String())
	}
	if steps == 0 {
		t.Fatalf("%s did nothing:\n%s", script, stderr.String())
	}
}

// TestPage is the page in the hands of several people.
func TestPage(t *testing.T) { onPage(t, "page.mjs") }

// TestRooms is rooms and events of the page, and the snippets of clients that
// were written for other servers.
func TestRooms(t *testing.T) { onPage(t, "rooms.mjs") }

// onPage has a script use the page, and stop and start its server. Screenshots
// go to the folder SUMU_SCREENSHOTS, if it is set.
func onPage(t *testing.T, script string) {
	t.Helper()
	enabled(t)
	t.Parallel()
	shots := os.Getenv("SUMU_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	} else if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, anyPort)
	addr := p.Addr
	node(t, func(question string) string {
		switch question {
		case "stop":
			p.stop(t)
		case "kill":
			p.kill(t)
		case "start":
			p = start(t, addr)
		default:
			t.Errorf("the script asks %q", question)
		}
		return "done"
	}, script, p.URL, shots)
}

// TestClientLibraries runs sockette and reconnecting-websocket in a browser,
// through a proxy that can cut connections as a bad network does.
func TestClientLibraries(t *testing.T) {
	enabled(t)
	t.Parallel()
	p := start(t, anyPort)
	network := listen(t, p.Addr)
	node(t, func(question string) string {
		verb, rest, _ := strings.Cut(question, " ")
		id, data, _ := strings.Cut(rest, " ")
		switch verb {
		case "cut":
			network.cut()
			return "done"
		case "delete":
			return fmt.Sprint(manage(t, p, "DELETE", id, "").status)
		case "post":
			return fmt.Sprint(manage(t, p, "POST", id, data).status)
		}
		t.Errorf("the script asks %q", question)
		return ""
	}, "clients.mjs", "http://"+network.addr)
}
