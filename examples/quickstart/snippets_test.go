package main

import (
	"testing"

	"github.com/sumu-live/sumu/internal/snippets"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// What clients of the original stacks send works here as it is.
func TestSnippets(t *testing.T) {
	p := start(t)
	ann := p.join(t, "ann")
	defer ann.conn.Close()
	err := snippets.Run(
		func(frame string) { ann.conn.Send(wstest.Text(frame)) },
		func() (string, error) { return ann.conn.Expect(ws.Text), nil },
	)
	if err != nil {
		t.Error(err)
	}
}
