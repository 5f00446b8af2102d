// Build makes the zip files that Lambda takes, one for each function, for the
// runtime provided.al2023:
//
//	go run ./examples/serverless/build
//	go run ./examples/serverless/build -o dist ./my/function
//
// Functions of your own are named as packages; each zip has its package's name.
// The same source and the same Go make the same bytes, so that a deployment
// sees a change only where there is one.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"time"
)

// functions are the packages beside this one.
var functions = []string{"authorizer", "websocket", "pusher", "presence", "backend"}

const beside = "github.com/sumu-live/sumu/examples/serverless/"

func main() {
	out := flag.String("o", "examples/serverless/dist", "the folder of the zip files")
	arch := flag.String("arch", "arm64", "arm64 or amd64, as the function's architectures has it")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		for _, name := range functions {
			packages = append(packages, beside+name)
		}
	}
	if err := build(context.Background(), packages, *out, *arch, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context, packages []string, out, arch string, report io.Writer) error {
	if arch != "arm64" && arch != "amd64" {
		return fmt.Errorf("-arch is %q; it is arm64 or amd64", arch)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sumu-lambdas-")
	if err != nil {
		return err
	}
	err = errors.Join(all(ctx, packages, work, out, arch, report), os.RemoveAll(work))
	return err
}

func all(ctx context.Context, packages []string, work, out, arch string, report io.Writer) error {
	for _, pkg := range packages {
		name := path.Base(filepath.ToSlash(pkg))
		binary := filepath.Join(work, name)
		if err := compile(ctx, binary, pkg, arch); err != nil {
			return err
		}
		text, err := os.ReadFile(binary)
		if err != nil {
			return err
		}
		packed, err := pack(text)
		if err != nil {
			return err
		}
		file := filepath.Join(out, name+".zip")
		if err := os.WriteFile(file, packed, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(report, "%s  %.1f MB  sha256 %x\n", file, float64(len(packed))/1e6, sha256.Sum256(packed))
	}
	return nil
}

// compile leaves out all that differs between two builds: paths, the build's
// id, the commit.
func compile(ctx context.Context, binary, pkg, arch string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid=", "-o", binary, pkg)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOARM64=v8.0", "GOAMD64=v1", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// pack returns a zip of one file, bootstrap, that may be executed: the runtime
// asks for the name. Its time is the oldest that a zip can have.
func pack(binary []byte) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
