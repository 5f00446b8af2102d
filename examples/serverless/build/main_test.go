package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A second build must not look like a change to whoever deploys.
func TestPackIsReproducible(t *testing.T) {
	binary := bytes.Repeat([]byte("\x7fELF and so on"), 10_000)
	a, err := pack(binary)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pack(slices.Clone(binary))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two zips of the same bytes differ")
	}
	z, err := zip.NewReader(bytes.NewReader(a), int64(len(a)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode().Perm() != 0o755 {
		t.Fatalf("the zip holds %v; want bootstrap alone, which may be executed", z.File)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, binary) {
		t.Errorf("bootstrap has %d bytes, want %d; %v", len(got), len(binary), err)
	}
}

// Each function has a zip: none is forgotten.
func TestFunctions(t *testing.T) {
	mains, err := filepath.Glob("../*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range mains {
		if name := filepath.Base(filepath.Dir(m)); name != "build" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if got := slices.Sorted(slices.Values(functions)); !slices.Equal(got, names) {
		t.Errorf("built are %v, but there are %v", got, names)
	}
}

func TestBuildTwice(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("builds all functions twice; set SUMU_E2E=1 to run it")
	}
	a, b := t.TempDir(), t.TempDir()
	var packages []string
	for _, name := range functions {
		packages = append(packages, beside+name)
	}
	for _, dir := range []string{a, b} {
		if err := build(t.Context(), packages, dir, "arm64", io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range functions {
		first, err := os.ReadFile(filepath.Join(a, name+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(filepath.Join(b, name+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("two builds of %s differ", name)
		}
	}
}

// A zip is named after its package, and one that is no program is told of.
func TestBuildPackages(t *testing.T) {
	dir := t.TempDir()
	if err := build(t.Context(), []string{"../build"}, dir, "amd64", io.Discard); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(filepath.Join(dir, "build.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
	if err := build(t.Context(), []string{"./missing"}, dir, "amd64", io.Discard); err == nil || !strings.Contains(err.Error(), "./missing") {
		t.Errorf("a package that is not there: %v", err)
	}
}

func TestBadArchitecture(t *testing.T) {
	err := build(t.Context(), []string{"."}, t.TempDir(), "mips", io.Discard)
	if err == nil || !strings.Contains(err.Error(), "arm64 or amd64") {
		t.Errorf("error %v", err)
	}
}
