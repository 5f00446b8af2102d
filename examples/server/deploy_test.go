package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// seconds finds a number or a duration in a file.
func seconds(t *testing.T, text, pattern string) time.Duration {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("there is no %s", pattern)
	}
	if n, err := strconv.Atoi(found[1]); err == nil {
		return time.Duration(n) * time.Second
	}
	d, err := time.ParseDuration(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A node that is stopped has the time that it takes: to drain, and then a
// moment for the queue, the lease and the server.
func TestDeployedNodesMayDrain(t *testing.T) {
	const after = 30 * time.Second
	env, unit, cluster := deployed(t, "node.env.example"), deployed(t, "sumu.service"), deployed(t, "kubernetes.yaml")
	drain, limit := seconds(t, env, `(?m)^SUMU_DRAIN=(\w+)`), seconds(t, unit, `(?m)^TimeoutStopSec=(\w+)`)
	if limit < drain+after {
		t.Errorf("systemd kills after %v; the drain takes %v", limit, drain)
	}
	drain, limit = seconds(t, cluster, `SUMU_DRAIN, value: "(\w+)"`), seconds(t, cluster, `terminationGracePeriodSeconds: (\d+)`)
	if pre := seconds(t, cluster, `sleep: {seconds: (\d+)}`); limit < pre+drain+after {
		t.Errorf("Kubernetes kills after %v; preStop takes %v and the drain %v", limit, pre, drain)
	}
	for _, path := range []string{"/readyz", "/healthz", "/ws"} {
		if !strings.Contains(cluster, "path: "+path) {
			t.Errorf("kubernetes.yaml does not use %s", path)
		}
	}
}

// What is deployed sets all that must be set, and nothing that nobody reads.
func TestDeployedSettings(t *testing.T) {
	known := make(map[string]bool)
	_, _ = readSettings(func(name string) (string, bool) { known[name] = true; return "", false })
	for _, file := range []string{"node.env.example", "kubernetes.yaml"} {
		set := make(map[string]bool)
		for _, found := range regexp.MustCompile(`(?m)^(?:\s+- ?\{?name: )?((?:SUMU|JWT|AWS)_[A-Z_]+)\b[=,\n]`).FindAllStringSubmatch(deployed(t, file), -1) {
			set[found[1]] = true
			if !known[found[1]] {
				t.Errorf("%s sets %s, which is not a setting", file, found[1])
			}
		}
		for name := range complete {
			if !set[name] {
				t.Errorf("%s does not set %s", file, name)
			}
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range known {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README.md does not name %s", name)
		}
	}
}
