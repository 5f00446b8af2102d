package iot

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

// TestPage is the page of examples/iot in a browser. The script asks for what a
// backend does.
func TestPage(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs Node and Chromium; run it with: make test")
	}
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "page.mjs", w.web.URL, w.core.server.URL)
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
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if question, ok := strings.CutPrefix(lines.Text(), "ask "); ok {
			fmt.Fprintln(stdin, w.answer(t, question))
			continue
		}
		steps++
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil || steps < 7 {
		t.Errorf("after %d steps: %v\n%s", steps, err, &stderr)
	}
}

// answer does what the script asks for.
func (w *world) answer(t *testing.T, question string) string {
	verb, rest, _ := strings.Cut(question, " ")
	user, text, _ := strings.Cut(rest, " ")
	switch verb {
	case "notify":
		return w.notify(t, user, text)
	case "large":
		return w.notify(t, user, strings.Repeat("x", sumu.MaxPayload-2)) // and its quotes
	case "kick":
		closed, err := sumu.Kick(t.Context(), w.store, w.sender, user)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint("closed ", closed)
	case "settled": // One connection, which is the one that the broker has.
		w.until(t, user+" to have one row", func() bool { return fmt.Sprint(w.rows(user)) == fmt.Sprint(w.core.clientsOf(user)) })
		return "settled"
	}
	t.Errorf("the script asks %q", question)
	return ""
}

// notify sends as a backend does, and waits for what became of it.
func (w *world) notify(t *testing.T, user, text string) string {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // The page is to see what could be taken for HTML.
	if err := enc.Encode(text); err != nil {
		return err.Error()
	}
	// Clients are connected when the broker says so, rows are written later.
	w.until(t, user+"'s row", func() bool { return len(w.rows(user)) > 0 })
	n, err := notify.ToUsers(json.RawMessage(bytes.TrimSpace(data.Bytes())), user)
	if err != nil {
		return err.Error()
	}
	id, err := notify.Send(t.Context(), w.client, n)
	if err != nil {
		return err.Error()
	}
	var result sumu.Result
	w.until(t, "notification "+id, func() bool {
		for _, r := range w.pushed {
			if r.ID == id && r.Targets > 0 {
				result = r
				return true
			}
		}
		return false
	})
	return fmt.Sprint("delivered ", result.Delivered)
}
