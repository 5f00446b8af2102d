package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	coldModule  = "github.com/sumu-live/sumu"
	coldMinimal = "minimal"
)

// coldFunctions are those of examples/serverless that are deployed to AWS for
// every stack; its backend stands for the user's own.
var coldFunctions = []string{"authorizer", "websocket", "pusher", "presence"}

// lambdaBinary is a function as it is deployed, built for one architecture.
type lambdaBinary struct {
	bootstrap  string // its path
	size, zips int64  // in bytes
}

// buildLambdas builds the functions by the program that builds the ones that
// are deployed, so that both have the same flags. source is where the module
// lies; "": the one that this program is of.
func buildLambdas(ctx context.Context, dir, source, arch string) (map[string]lambdaBinary, error) {
	if source == "" {
		out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", coldModule).Output()
		if err != nil {
			return nil, fmt.Errorf("go list -m: %w", err)
		}
		source = strings.TrimSpace(string(out))
	}
	ours := make([]string, len(coldFunctions))
	for i, name := range coldFunctions {
		ours[i] = coldModule + "/examples/serverless/" + name
	}
	for from, packages := range map[string][]string{
		source: ours,
		"":     {coldModule + "/bench/" + coldMinimal},
	} {
		// The program itself is for this machine.
		cmd := exec.CommandContext(ctx, "go", append([]string{
			"run", "-buildvcs=false", coldModule + "/examples/serverless/build", "-o", dir, "-arch", arch,
		}, packages...)...)
		cmd.Dir = from
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build for %s: %w\n%s", arch, err, text)
		}
	}
	built := make(map[string]lambdaBinary)
	for _, name := range append([]string{coldMinimal}, coldFunctions...) {
		b, err := unpackLambda(filepath.Join(dir, name+".zip"), filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		built[name] = b
	}
	return built, nil
}

// unpackLambda takes the program out of a zip, as Lambda does.
func unpackLambda(file, to string) (b lambdaBinary, err error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	in, err := z.Open("bootstrap")
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return b, err
	}
	b.bootstrap = to
	if b.size, err = io.Copy(out, in); err != nil {
		return b, errors.Join(err, out.Close())
	}
	if err := out.Close(); err != nil {
		return b, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return b, err
	}
	b.zips = info.Size()
	return b, nil
}
