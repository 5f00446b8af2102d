package components

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// Network is the roads of one test: proxies that are told what to do to connections.
type Network struct {
	t      testing.TB
	api    string
	client *http.Client
}

// Road is a proxy in front of an address.
type Road struct {
	Address string // where it listens: host and port

	n    *Network
	name string
}

// Toxic is what happens to connections, those that are open and those that come.
type Toxic struct {
	Kind       string // of toxiproxy: latency, reset_peer, timeout, …
	Stream     string // upstream: requests; downstream: answers
	Attributes map[string]int
	Share      float64 // of connections; 0: four of five
}

var roads atomic.Int64 // Tests, and runs of one, share the program.

// NewNetwork returns a network without roads.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	n := &Network{t: t, api: Toxiproxy(t), client: &http.Client{Transport: new(http.Transport)}}
	t.Cleanup(n.client.CloseIdleConnections)
	return n
}

// Road makes a road to an address, which ends with the test.
func (n *Network) Road(upstream string) *Road {
	n.t.Helper()
	name := fmt.Sprint(strings.ReplaceAll(n.t.Name(), "/", "-"), "-", roads.Add(1))
	var made struct {
		Listen string `json:"listen"`
	}
	n.tell(http.MethodPost, "/proxies", map[string]any{
		"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true,
	}, &made)
	n.t.Cleanup(func() { n.tell(http.MethodDelete, "/proxies/"+name, nil, nil) })
	return &Road{Address: made.Listen, n: n, name: name}
}

// Poison lets the road be bad until it is healed.
func (r *Road) Poison(x Toxic) {
	r.n.t.Helper()
	r.n.tell(http.MethodPost, "/proxies/"+r.name+"/toxics", map[string]any{
		"name": "bad", "type": x.Kind, "stream": x.Stream, "toxicity": cmp.Or(x.Share, 0.8), "attributes": x.Attributes,
	}, nil)
}

// Heal ends what Poison began.
func (r *Road) Heal() {
	r.n.t.Helper()
	r.n.tell(http.MethodDelete, "/proxies/"+r.name+"/toxics/bad", nil, nil)
}

// Cut ends all connections and refuses new ones until the road is mended.
func (r *Road) Cut() { r.n.t.Helper(); r.enable(false) }

// Mend ends what Cut began.
func (r *Road) Mend() { r.n.t.Helper(); r.enable(true) }

func (r *Road) enable(on bool) {
	r.n.t.Helper()
	// With its address, or it gets another one.
	r.n.tell(http.MethodPost, "/proxies/"+r.name, map[string]any{"enabled": on, "listen": r.Address}, nil)
}

func (n *Network) tell(method, path string, body, into any) {
	n.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		n.t.Fatal(err)
	}
	// Not the context of the test: proxies are removed after its end.
	r, err := http.NewRequest(method, n.api+path, bytes.NewReader(text)) //nolint:noctx // See above.
	if err != nil {
		n.t.Fatal(err)
	}
	resp, err := n.client.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		n.t.Fatalf("toxiproxy: %s %s: %s %s, %v", method, path, resp.Status, said, err)
	}
	if into != nil {
		if err := json.Unmarshal(said, into); err != nil {
			n.t.Fatal(err)
		}
	}
}
