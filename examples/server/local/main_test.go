//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/snippets"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// output tells when something was printed.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	done chan struct{}
	once sync.Once
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if strings.Contains(o.text.String(), "/notify") {
		o.once.Do(func() { close(o.done) })
	}
	return len(b), nil
}

// debugLog is where the programs' own output goes.
type debugLog struct{}

func (debugLog) Write(b []byte) (int, error) {
	testlog.Logger().Debug("program", "log", string(b))
	return len(b), nil
}

// What it prints works: a client of one node is notified through the other.
func TestLocal(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs dynoxide and fauxqs; run it with: make test")
	}
	leak.Check(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &output{done: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, 0, out, debugLog{}) }()
	select {
	case <-out.done:
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(3 * time.Minute):
		t.Fatal("nothing is printed")
	}
	find := func(pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(out.text.String())
		if found == nil {
			t.Fatalf("%q has no %s", out.text.String(), pattern)
		}
		return found[1]
	}
	resp, err := http.Get(find(`'(http\S+/token\?user=ann)'`))
	if err != nil {
		t.Fatal(err)
	}
	token, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	r := wstest.Request(t, "http"+find(`-c ws(\S+)`))
	r.Header.Set("Authorization", "Bearer "+string(token))
	client := wstest.Send(t, r, nil)
	if resp, body := client.Response(); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("refused: %s %s", resp.Status, body)
	}
	n, err := http.NewRequest(http.MethodPost, find(`curl (\S+/notify)`), strings.NewReader(find(`-d '(.*)'`)))
	if err != nil {
		t.Fatal(err)
	}
	n.Header.Set("Authorization", "Bearer "+find(`Bearer (\w+)' -d`))
	answer, err := http.DefaultClient.Do(n)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	client.ExpectText(`"Hello"`)
	err = snippets.Run(
		func(frame string) { client.Send(wstest.Text(frame)) },
		func() (string, error) { return client.Expect(ws.Text), nil },
	)
	if err != nil {
		t.Error(err)
	}
	_ = client.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(find(`curl (\S+/notify)`)); err == nil {
		t.Error("a node is left")
	}
}
