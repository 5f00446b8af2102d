package pipeline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/internal/components"
)

// network is a toxiproxy, which is told what to do to connections.
type network struct {
	api    string
	prefix string // of names: tests share it
	client *http.Client
	count  int
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{api: components.Toxiproxy(t), client: &http.Client{Transport: newTransport(t)}}
	n.prefix = fmt.Sprint(t.Name(), "-")
	return n
}

// road returns the address of a proxy in front of an address, and the proxy's name.
func (n *network) road(t *testing.T, upstream string) (address, name string) {
	t.Helper()
	n.count++
	name = strings.ReplaceAll(n.prefix, "/", "-") + fmt.Sprint(n.count)
	var made struct {
		Listen string `json:"listen"`
	}
	n.tell(t, http.MethodPost, "/proxies", map[string]any{
		"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true,
	}, &made)
	t.Cleanup(func() { n.tell(t, http.MethodDelete, "/proxies/"+name, nil, nil) })
	return made.Listen, name
}

// toxic is what happens to most of a proxy's connections, of those that are
// open and those that come.
type toxic struct {
	kind       string
	stream     string // upstream: requests; downstream: answers
	attributes map[string]int
	share      float64 // of connections; 0: four of five
}

func (n *network) poison(t *testing.T, proxy string, x toxic) {
	t.Helper()
	n.tell(t, http.MethodPost, "/proxies/"+proxy+"/toxics", map[string]any{
		"name": "bad", "type": x.kind, "stream": x.stream, "toxicity": cmp.Or(x.share, 0.8), "attributes": x.attributes,
	}, nil)
}

func (n *network) heal(t *testing.T, proxy string) {
	t.Helper()
	n.tell(t, http.MethodDelete, "/proxies/"+proxy+"/toxics/bad", nil, nil)
}

func (n *network) tell(t *testing.T, method, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	// Not the context of the test: proxies are removed after its end.
	r, err := http.NewRequest(method, n.api+path, bytes.NewReader(text)) //nolint:noctx // See above.
	if err != nil {
		t.Fatal(err)
	}
	resp, err := n.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("toxiproxy: %s %s: %s %s, %v", method, path, resp.Status, said, err)
	}
	if into != nil {
		if err := json.Unmarshal(said, into); err != nil {
			t.Fatal(err)
		}
	}
}
