package presence

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/components"
)

// TestBrowser: tabs of a real browser come and go.
func TestBrowser(t *testing.T) {
	w := newWorld(t, components.DynamoDBLocal(t))
	watcher, _ := w.watch("a")
	n := w.node("a")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "browser.mjs", n.base)
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
		question, asked := strings.CutPrefix(lines.Text(), "ask ")
		if !asked {
			t.Log(lines.Text())
			steps++
			continue
		}
		var user, history string
		if _, err := fmt.Sscanf(question, "until %s %s", &user, &history); err != nil {
			t.Errorf("the script asks %q", question)
		}
		w.until(user, history)
		fmt.Fprintln(stdin, "done")
	}
	if err := cmd.Wait(); err != nil || steps != 6 {
		t.Fatalf("the script ended with %v after %d steps:\n%s", err, steps, stderr.String())
	}
	w.agrees(watcher)
}
