package deploy

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// engine renders mapping templates with velocityjs, in a process of Node.
type engine struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

type rendering struct {
	Template string         `json:"template"`
	Body     string         `json:"body"`
	Context  map[string]any `json:"context"`
}

func newEngine(t testing.TB) *engine {
	t.Helper()
	dir := needsTooling(t, "velocityjs")
	cmd := exec.Command("node", "vtl.cjs", dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // It ends with its input.
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v\n%s", err, stderr.String())
		}
	})
	return &engine{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

func (e *engine) render(t testing.TB, r rendering) string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	text, err := e.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Text, Error string }
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != "" {
		t.Fatalf("render: %s", answer.Error)
	}
	return answer.Text
}

// mapping returns a template as Terraform gives it to API Gateway.
func mapping(t testing.TB, name string, values ...string) string {
	t.Helper()
	return strings.NewReplacer(values...).Replace(oneLine(read(t, mappingDir+"/"+name+".vtl")))
}
