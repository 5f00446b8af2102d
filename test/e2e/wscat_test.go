package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// TestWscat connects from a terminal, with the token in each of the two places
// that wscat can put it.
func TestWscat(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	ws := "ws://" + p.Addr + "/ws"
	for name, args := range map[string][]string{
		"query":        {"--connect", ws + "?authorization=" + token(t, p, "ann")},
		"sub-protocol": {"--connect", ws, "-s", "sumu", "-s", "bearer." + token(t, p, "bob")},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, "../tooling/node_modules/.bin/wscat", append(args, "-x", `{"action":"ping","ref":"wscat"}`, "-w", "-1")...)
			var complaint strings.Builder
			cmd.Stderr = &complaint
			stdin, err := cmd.StdinPipe() // wscat ends silently when its input does.
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
			var pong struct {
				Type, Ref, ConnectionID string
				StatusCode              int
			}
			var said []string
			lines := bufio.NewScanner(stdout)
			for pong.Type != "pong" && lines.Scan() {
				said = append(said, lines.Text())
				_, text, _ := strings.Cut(lines.Text(), "{")
				_ = json.Unmarshal([]byte("{"+text), &pong) // Other lines are the terminal's.
			}
			stdin.Close()
			cancel()
			_, _ = io.Copy(io.Discard, stdout)
			_ = cmd.Wait() // Ended by us.
			if pong.Type != "pong" || pong.Ref != "wscat" || pong.StatusCode != 200 || pong.ConnectionID == "" {
				t.Errorf("no pong; wscat says %q %s", said, complaint.String())
			}
		})
	}
}
