package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// program is run itself, in this process, on a free port.
type program struct {
	url  string
	stop func() error
}

// start runs the program until the test ends, and fails the test if it does
// not end well or leaves a goroutine behind.
func start(t *testing.T) *program {
	t.Helper()
	leak.Check(t)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, "127.0.0.1:0", in, testlog.Logger())
		in.Close()
	}()
	p := &program{stop: func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := p.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	line := make([]byte, 256)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("run printed nothing: %v", <-ended)
	}
	go io.Copy(io.Discard, out) // Until the program has ended.
	first, _, _ := strings.Cut(string(line[:n]), "\n")
	p.url = strings.TrimPrefix(first, "sumu quickstart: ")
	return p
}

func (p *program) post(t *testing.T, path, body string) (int, map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]string{}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("POST %s answers %q, which is not an object of strings: %v", path, bytes.TrimSpace(raw), err)
	}
	return resp.StatusCode, answer
}

// person is a page, without the page.
type person struct {
	t    *testing.T
	conn *wstest.Conn
}

func (p *program) join(t *testing.T, name string) *person {
	t.Helper()
	status, answer := p.post(t, "/token", `{"user":"`+name+`"}`)
	if status != http.StatusOK {
		t.Fatalf("POST /token: %d %v", status, answer)
	}
	r := wstest.Request(t, p.url+"/ws")
	r.Header.Set("Sec-WebSocket-Protocol", "sumu, bearer."+answer["token"])
	conn := wstest.Send(t, r, nil)
	if resp, body := conn.Response(); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s is refused: %s %s", name, resp.Status, body)
	}
	return &person{t, conn}
}

func (p *person) publish(ref, message string) {
	p.t.Helper()
	p.conn.Send(wstest.Text(`{"action":"publish","ref":"` + ref + `","message":` + message + `}`))
}

// next returns the next message of a kind. Acknowledgements and presence are
// passed over unless they are meant: who comes while an event is on its way
// may get it or not.
func (p *person) next(kind func(m map[string]any) bool) map[string]any {
	p.t.Helper()
	for {
		var m map[string]any
		if err := json.Unmarshal([]byte(p.conn.Expect(ws.Text)), &m); err != nil {
			p.t.Fatal(err)
		}
		if kind(m) {
			return m
		}
		if m["type"] != "ack" && m["type"] != "presence" {
			p.t.Fatalf("message %v comes first", m)
		}
	}
}

func (p *person) expect(want map[string]any) map[string]any {
	p.t.Helper()
	got := p.next(func(m map[string]any) bool { return m["type"] == want["type"] })
	for k, v := range want {
		if !reflect.DeepEqual(got[k], v) {
			p.t.Errorf("message %v; want %s to be %v", got, k, v)
		}
	}
	return got
}

// expectPresence waits for a user's event and returns its version.
func (p *person) expectPresence(user string, status sumu.Status) float64 {
	p.t.Helper()
	var event map[string]any
	p.next(func(m map[string]any) bool {
		event, _ = m["message"].(map[string]any)
		return m["type"] == "presence" && event["user_id"] == user && event["status"] == string(status)
	})
	return event["version"].(float64)
}

func TestQuickstart(t *testing.T) {
	p := start(t)
	ann := p.join(t, "ann")
	bob := p.join(t, "bob")
	version := ann.expectPresence("bob", sumu.Online)
	cem := p.join(t, "cem")
	ann.expectPresence("cem", sumu.Online)
	bob.expectPresence("cem", sumu.Online)

	cem.publish("1", `{"type":"who"}`)
	who := cem.expect(map[string]any{"type": "who"})
	if users := who["users"].([]any); !slices.ContainsFunc(users, func(u any) bool {
		return reflect.DeepEqual(u, map[string]any{"user_id": "bob", "version": version})
	}) {
		t.Errorf("who is answered with %v; want bob with version %v in it", who, version)
	}

	for _, c := range []struct {
		to       string
		reaches  []*person
		receives any // the "to" that they see
	}{
		{`"everyone"`, []*person{ann, bob, cem}, "everyone"},
		{`"others"`, []*person{bob, cem}, "others"},
		{`{"users":["bob"]}`, []*person{ann, bob}, map[string]any{"users": []any{"bob"}}},
		{`{"users":["ann","ann"]}`, []*person{ann}, map[string]any{"users": []any{"ann", "ann"}}},
		{`{"users":["nobody"]}`, []*person{ann}, map[string]any{"users": []any{"nobody"}}},
	} {
		ann.publish("2", `{"type":"chat","to":`+c.to+`,"text":"hi to `+strings.ReplaceAll(c.to, `"`, `'`)+`","key":"k"}`)
		for _, who := range c.reaches {
			who.expect(map[string]any{"type": "chat", "from": "ann", "to": c.receives, "key": "k"})
		}
	}

	// Nobody got more than was meant for them: the next thing is the notice.
	if status, answer := p.post(t, "/notify", `{"everyone":true,"exclude_users":["cem"],"data":{"type":"notice"}}`); status != 202 || answer["id"] == "" {
		t.Errorf("POST /notify: %d %v", status, answer)
	}
	ann.expect(map[string]any{"type": "notice"})
	bob.expect(map[string]any{"type": "notice"})

	// bob goes, and is told of as gone when the grace has passed.
	bob.conn.Send(wstest.Close(1000, ""))
	bob.conn.ExpectClose(1000)
	if v := ann.expectPresence("bob", sumu.Offline); v != version+1 {
		t.Errorf("OFFLINE has version %v; want %v", v, version+1)
	}
	cem.expectPresence("bob", sumu.Offline)

	// The end: clients are told, and they answer.
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop() }()
	for _, who := range []*person{ann, cem} {
		who.conn.Expect(ws.Close)
		who.conn.Send(wstest.Close(1001, ""))
	}
	if err := <-stopped; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	p := start(t)
	addr := strings.TrimPrefix(p.url, "http://")
	err := run(t.Context(), addr, io.Discard, testlog.Logger())
	if err == nil || !strings.Contains(err.Error(), addr+" is in use") || !strings.Contains(err.Error(), "-addr") {
		t.Errorf("run on a port that is taken: %v; want it to say so, and what to do", err)
	}
	if err := run(t.Context(), "nonsense", io.Discard, testlog.Logger()); err == nil {
		t.Error("run on an address that is none returns nil")
	}
}
