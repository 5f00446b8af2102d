package components_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
)

func TestComponents(t *testing.T) {
	leak.Check(t)
	for name, start := range map[string]func(testing.TB) string{
		"Dynoxide":      components.Dynoxide,
		"DynamoDBLocal": components.DynamoDBLocal,
		"Fauxqs":        components.Fauxqs,
		"Kinesalite":    components.Kinesalite,
		"Toxiproxy":     components.Toxiproxy,
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := start(t)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Get(endpoint)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if again := start(t); again != endpoint {
				t.Errorf("a second call returns %s, want %s", again, endpoint)
			}
			if !strings.HasPrefix(endpoint, "http://127.0.0.1:") {
				t.Errorf("the endpoint is %s", endpoint)
			}
		})
	}
}

// TestUntilKilled is run by TestComponentEndsWithItsBinary, as the binary that
// is killed.
func TestUntilKilled(t *testing.T) {
	if os.Getenv("SUMU_TEST_UNTIL_KILLED") != "1" {
		t.Skip("a part of TestComponentEndsWithItsBinary")
	}
	fmt.Println(components.Dynoxide(t))
	select {}
}

func TestComponentEndsWithItsBinary(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("needs dynoxide; run it with: make test")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestUntilKilled$")
	cmd.Env = append(os.Environ(), "SUMU_TEST_UNTIL_KILLED=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if kill := cmd.Process.Kill(); kill != nil {
		t.Error(kill)
	}
	_ = cmd.Wait()
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "http://")
	if err != nil || !ok {
		t.Fatalf("the binary printed %q, %v", line, err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return // Refused: it is gone.
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the component still answers 30 s after its binary was killed")
		}
	}
}
