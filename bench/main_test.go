package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sumu-live/sumu/internal/leak"
)

// The children of a test are the test binary itself.
func TestMain(m *testing.M) {
	if code, ok := runRole(os.Args[1:]); ok {
		os.Exit(code)
	}
	if runEchoRole(os.Args[1:]) {
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// noChildren fails the test when it leaves a process behind.
func noChildren(t *testing.T) {
	t.Helper()
	// With -race, every child would take a second to end.
	t.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	leak.Check(t)
	t.Cleanup(func() {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
			t.Errorf("child %d is still there: %v", pid, err)
		}
	})
}

// A run fails when one delivery is missing or wrong: the readers compare every
// byte.
func TestSmokeRunHasEveryRow(t *testing.T) {
	noChildren(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"-smoke", "-against", ".."}, &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		if cell := strings.Split(line, "|"); len(cell) == 8 {
			got = append(got, strings.TrimSpace(cell[1])+": "+strings.TrimSpace(cell[2]))
			for _, c := range cell[1:7] {
				if strings.TrimSpace(c) == "" || strings.Contains(c, "no figure") {
					t.Errorf("cell without a figure in %s", line)
				}
			}
		}
	}
	want := []string{
		"case: unit",
		"-: -",
	}
	for _, way := range []string{"Pusher.Push", "Gateway.Post"} {
		for _, kind := range []string{"burst of 5", "single"} {
			for range peers {
				want = append(want, "fan-out, "+kind+", "+way+": deliveries/s", "fan-out, "+kind+", "+way+": µs CPU/delivery")
			}
		}
	}
	for range peers {
		want = append(want, "idle socket, resident memory: KB/socket")
	}
	for range len(peers) + 2 { // And ours without the listener, and net/http alone.
		want = append(want, "connect, to the answered handshake: µs CPU/connect")
	}
	want = append(want,
		"connect, 50 at once: ms until the last is served",
		"40 idle sockets, pinged every 1s: ms CPU/s",
		"40 idle sockets, pinged every 1s: KB/socket",
		"TLS: fan-out, burst of 5, Pusher.Push: µs CPU/delivery",
		"TLS: fan-out, single, Pusher.Push: µs CPU/delivery",
		"TLS: idle socket, resident memory: KB/socket",
		"TLS: connect, to the answered handshake: µs CPU/connect",
		"verify RS256: ns CPU/token",
		"verify RS256: allocs/token",
		"verify RS256: ns CPU/token",
		"verify ES256: ns CPU/token",
		"verify ES256: allocs/token",
		"verify ES256: ns CPU/token",
		"verify EdDSA: ns CPU/token",
		"verify EdDSA: allocs/token",
		"verify EdDSA: ns CPU/token",
		"push to 200 in process: ns CPU/target",
		"push to 200 in process: allocs/push",
		"post 256 B, 64 in flight: µs CPU/post",
		"post 256 B, 64 in flight, bounded by the caller: µs CPU/post",
		"post 256 B, 64 in flight: allocs/post",
		"post 256 B, 64 in flight: B allocated/post",
		"post 256 B, 64 in flight: µs CPU/post",
		"post 256 B, 64 in flight, bounded by the caller: µs CPU/post",
		"post 256 B, 64 in flight: allocs/post",
		"post 256 B, 64 in flight: B allocated/post",
		"channel of 60, burst of 5: deliveries/s",
		"channel of 60, burst of 5: µs CPU/delivery",
		"channel of 60, single: deliveries/s",
		"channel of 60, single: µs CPU/delivery",
		"channel of 60, resident memory: KB/socket",
		"channel of 60, to connect and join: µs CPU/connect",
		"event to 200 subscribers, 3 projections: ns CPU/subscriber",
		"event to 200 subscribers, 3 projections: encodings/event",
		"latency, notify to socket, in process: µs, half of them within",
		"latency, notify to socket, in process: µs, 99 of 100 within",
	)
	if installed(t, emulatorSQS) {
		want = append(want,
			"latency, notify to socket, through SQS (fauxqs): µs, half of them within",
			"latency, notify to socket, through SQS (fauxqs): µs, 99 of 100 within",
		)
	}
	want = append(want,
		"memstore of 10,000 connections: ns CPU/put",
		"memstore of 10,000 connections: ns CPU/look-up of a user",
		"memstore of 10,000 connections: ns CPU/connection of a scan",
		"memstore of 10,000 connections: B/connection",
		"memstore of 10,000 connections: ns CPU/join of one channel",
		"memstore of 10,000 connections: ns CPU/member of that channel",
		"memstore of 10,000 connections: B/member",
	)
	if installed(t, emulatorDynamo) {
		for _, what := range []string{"nothing changes", "users come and go"} {
			name := "presence on dynoxide, " + what + ", 16 at a time"
			want = append(want, name+": evaluations/s", name+": µs CPU/evaluation")
		}
		// Of what an action consumes, the figures mean as much as in a long run.
		for _, line := range []string{"| connect ", "| event with 1,000 subscribers "} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("no line of costs begins with %q", line)
			}
		}
	}
	if installed(t, emulatorDynamo) && installed(t, emulatorSQS) {
		for _, name := range coldFunctions {
			// Beside one that does nothing, itself with more to read, and itself.
			for _, sc := range slices.Concat(coldScales, coldScales[coldAnswer:coldAnswer+2], coldScales) {
				want = append(want, "cold start, "+name+": "+sc.unit)
			}
		}
		for _, sc := range sandboxScales {
			want = append(want, coldSandbox+": "+sc.unit)
		}
	}
	for i, line := range got {
		if strings.HasPrefix(line, "---") {
			got[i] = "-: -"
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("rows are\n%s\nwant\n%s", g, w)
	}
	if strings.Contains(out.String(), "- goal ") {
		t.Error("a smoke run judges goals")
	}
}

// installed tells whether an emulator is there; a run says what it leaves out
// when it is not.
func installed(t *testing.T, name string) bool {
	t.Helper()
	_, err := emulatorCommand(name, 1)
	if err != nil && !errors.Is(err, errNotInstalled) {
		t.Fatal(err)
	}
	return err == nil
}

func TestProfilesAreWrittenOnDemand(t *testing.T) {
	noChildren(t)
	dir := t.TempDir()
	if err := run(t.Context(), []string{"-smoke", "-only", "fanout", "-profile", dir}, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"sumu-connect.cpu", "sumu-idle.heap", "sumu-pusher.cpu", "sumu-post.cpu",
		"gorilla-connect.cpu", "gorilla-idle.heap", "gorilla-own.cpu",
	} {
		if f, err := os.Stat(filepath.Join(dir, name+".pprof")); err != nil || f.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEndedRunLeavesNoProcess(t *testing.T) {
	noChildren(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := startChild(ctx, roleServer, kindSumu, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.call(command{Do: "address"}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := s.call(command{Do: "await", Sockets: 1}); err == nil {
		t.Error("a child that was killed has answered")
	}
	if err := s.stop(); err == nil {
		t.Error("a child that was killed ended well")
	}
	if err := run(ctx, []string{"-smoke"}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("run with an ended context: %v", err)
	}
}

func TestChildTellsItsErrors(t *testing.T) {
	noChildren(t)
	s, err := startChild(t.Context(), roleServer, kindGorilla, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.call(command{Do: "broadcast", Via: viaPusher, Messages: 1})
	if err == nil || !strings.Contains(err.Error(), `no broadcast via "pusher"`) {
		t.Errorf("error is %v", err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestBadArguments(t *testing.T) {
	for args, want := range map[string]string{
		"-only nothing":   "no case",
		"-sockets -1":     "at least 1",
		"-rounds -1":      "at least 1",
		"-sockets 900000": "open files",
		"extra":           "unknown argument",
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v", args, err)
		}
	}
}
