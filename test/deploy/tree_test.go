package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root       = "../.."
	mappingDir = root + "/examples/terraform/modules/serverless/mapping"
	samFile    = root + "/examples/cloudformation/template.yaml"
)

// needsTooling skips a test that runs programs of test/tooling, unless
// SUMU_E2E is 1; then one that is missing fails it.
func needsTooling(t testing.TB, pkg string) (dir string) {
	t.Helper()
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("runs programs of test/tooling; set SUMU_E2E=1 to run it")
	}
	dir, err := filepath.Abs(root + "/test/tooling")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", pkg)); err != nil {
		t.Fatalf("%s is not installed; run make components: %v", pkg, err)
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// oneLine is what mapping.tf makes of a file: its lines without the space
// around them, one after the other.
func oneLine(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}
