package awslambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/testlog"
)

// goldenDir is where aws-lambda-go keeps the events that AWS really sends.
var goldenDir = sync.OnceValues(func() (string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	return filepath.Join(strings.TrimSpace(string(dir)), "events", "testdata"), err
})

// golden returns an event of aws-lambda-go's, with some text replaced.
func golden(t testing.TB, name string, replace ...string) []byte {
	t.Helper()
	dir, err := goldenDir()
	if err != nil {
		t.Fatal("where is aws-lambda-go?", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !bytes.Contains(b, []byte(replace[i])) {
			t.Fatalf("%s has no %q", name, replace[i])
		}
	}
	return []byte(strings.NewReplacer(replace...).Replace(string(b)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func jsonText(v any) string { return string(must(json.Marshal(v))) }

// call invokes a handler and reads its answer.
func call[T any](t testing.TB, h awslambda.Handler, event []byte) T {
	t.Helper()
	out, err := h.Invoke(context.Background(), event)
	if err != nil {
		t.Fatalf("invoke: %v", err)
	}
	var v T
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("answer %s: %v", out, err)
	}
	return v
}

// failures are the records that a batch's answer names.
type failures struct {
	Items *[]struct {
		ID string `json:"itemIdentifier"`
	} `json:"batchItemFailures"`
}

func wantFailures(t testing.TB, got failures, want ...string) {
	t.Helper()
	if got.Items == nil {
		t.Fatal("the answer has no list of failures")
	}
	var ids []string
	for _, item := range *got.Items {
		ids = append(ids, item.ID)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("failed records are %q, want %q", ids, want)
	}
}

// logged is a logger, and what it was told. make test looks at that too.
func logged() (*slog.Logger, *lockedBuffer) {
	b := new(lockedBuffer)
	own := slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(slog.NewMultiHandler(own, testlog.Logger().Handler())), b
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// postLog records what is posted. Connections whose id begins with "gone" are.
type postLog struct {
	mu    sync.Mutex
	posts map[string][]string // by connection
}

func (p *postLog) Post(_ context.Context, c sumu.Connection, payload *sumu.Payload) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.posts == nil {
		p.posts = make(map[string][]string)
	}
	p.posts[c.ID] = append(p.posts[c.ID], string(payload.Bytes()))
	if strings.HasPrefix(c.ID, "gone") {
		return &sumu.Error{Kind: sumu.ErrGone}
	}
	return nil
}

func (p *postLog) of(id string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.posts[id])
}

// row puts a connection into a store.
func row(t testing.TB, s *memstore.Store, user, id string) {
	t.Helper()
	err := s.Put(t.Context(), sumu.Connection{
		UserID: user, ID: id,
		ConnectedAt: time.Now().Add(-time.Hour), DeleteAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sqsEvent is an event with bodies "m1", "m2", … as ids.
func sqsEvent(bodies ...string) []byte {
	var recs []map[string]any
	for i, body := range bodies {
		recs = append(recs, map[string]any{
			"messageId": "m" + string(rune('1'+i)), "body": body,
			"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:requests",
			"attributes": map[string]string{"SentTimestamp": "1520621625029"},
		})
	}
	return []byte(jsonText(map[string]any{"Records": recs}))
}
