package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// never is a pace at which the console does nothing during a test.
const never = 24 * time.Hour

// start runs the program until the test ends, and returns its URL.
func start(t *testing.T, records stream, pace time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, listener, records, pace, testlog.Logger()) }()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("run: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// player is a page, without the page.
type player struct {
	t    *testing.T
	conn *wstest.Conn
}

func join(t *testing.T, base, name, filter string) *player {
	t.Helper()
	conn := wstest.Send(t, wstest.Request(t, base+"/ws?name="+url.QueryEscape(name)), nil)
	if resp, body := conn.Response(); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s is refused: %s %s", name, resp.Status, body)
	}
	p := &player{t, conn}
	p.send(`{"action":"subscribe","subscriptions":[{"event_type":"NESClick","filter_field":"color","filter_expr":"` + filter + `","desired_fields":["color","by"]}]}`)
	p.want(`"ack"`)
	return p
}

func (p *player) send(frame string) { p.conn.Send(wstest.Text(frame)) }

func (p *player) want(part string) {
	p.t.Helper()
	if got := p.conn.Expect(ws.Text); !strings.Contains(got, part) {
		p.t.Errorf("got %s; want %s", got, part)
	}
}

// wantClick waits for the next frame, an event.
func (p *player) wantClick(color, by string) {
	p.t.Helper()
	payload, err := json.Marshal(`{"by":"` + by + `","color":"` + color + `"}`)
	if err != nil {
		p.t.Fatal(err)
	}
	p.conn.ExpectText(`{"message_type":"NESClick","payload":` + string(payload) + `}`)
}

// scenario is two players with different wishes, and two producers.
func scenario(t *testing.T, base string, records stream) {
	ann, bob := join(t, base, "ann", "blue*"), join(t, base, "bob", "red")
	// The console's, through the stream. What is no event holds up nothing.
	if err := records.Put(t.Context(), []byte(`{"data":"to everybody"}`)); err != nil {
		t.Fatal(err)
	}
	for i, color := range []string{"blue", "red", "bluegreen", "orange"} {
		if err := put(t.Context(), records, click{color, "console", i}); err != nil {
			t.Fatal(err)
		}
	}
	ann.wantClick("blue", "console")
	ann.wantClick("bluegreen", "console")
	bob.wantClick("red", "console")
	// A player's, over the socket: to the other one, and to himself if he wishes.
	ann.send(`{"action":"submitIotEvent","event":{"MessageType":"NESClick","Message":{"color":"red","by":"ann"}}}`)
	ann.want(`"ack"`)
	bob.wantClick("red", "ann")
	ann.send(`{"action":"submitIotEvent","event":{"MessageType":"Payroll","Message":{}}}`)
	ann.want(`"forbidden"`)
	ann.send(`{"action":"ping"}`)
	ann.want(`"pong"`)
}

func TestGameEvents(t *testing.T) {
	leak.Check(t)
	records := newLocalStream()
	base := start(t, records, never)
	scenario(t, base, records)
	conn := wstest.Send(t, wstest.Request(t, base+"/ws"), nil)
	if resp, _ := conn.Response(); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a name: %s", resp.Status)
	}
	resp, err := http.Get(base + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("the page: %s", resp.Status)
	}
}

// Whoever reaches the address gets in, so that pages of other sites must not.
func TestOtherPagesAreRefused(t *testing.T) {
	base := start(t, newLocalStream(), never)
	for origin, want := range map[string]int{base: 101, "https://evil.example": 403, "null": 403} {
		r := wstest.Request(t, base+"/ws?name=ann")
		r.Header.Set("Origin", origin)
		if resp, _ := wstest.Send(t, r, nil).Response(); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", origin, resp.StatusCode, want)
		}
	}
}

func TestConsole(t *testing.T) {
	leak.Check(t)
	base := start(t, newLocalStream(), time.Millisecond)
	ann := join(t, base, "ann", "*")
	for range 3 {
		ann.want(`console`)
	}
}

// The console's events come by way of Kinesis, and are read from two shards.
func TestKinesis(t *testing.T) {
	endpoint := components.Kinesalite(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDGAME")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	const name = "game-events"
	records := newKinesisStream(name, "us-east-1", endpoint, testlog.Logger()).(*kinesisStream)
	records.pause = 20 * time.Millisecond
	if _, err := records.client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(name), ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	active := kinesis.NewStreamExistsWaiter(records.client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
	})
	if err := active.Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String(name)}, time.Minute); err != nil {
		t.Fatal(err)
	}
	scenario(t, start(t, records, never), records)
}

// TestBrowsers is two players with a real browser each.
func TestBrowsers(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs Chromium, Node and test/tooling; run it with: make test")
	}
	shots := os.Getenv("SUMU_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	base := start(t, newLocalStream(), 50*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "../../test/e2e/gameevents.mjs", base, shots).CombinedOutput()
	if err != nil || strings.Count(string(out), "ok ") != 3 {
		t.Errorf("gameevents.mjs: %v\n%s", err, out)
	}
}
