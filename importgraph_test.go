package sumu_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sumu-live/sumu"

// importGraph holds the imports of every package: those of its own files, not
// of its tests.
type importGraph map[string][]string

// importRule says what packages of this module may not import.
type importRule struct {
	name string
	why  string // printed with a violation: what would be lost
	// of chooses the packages that it binds, by their path below the module;
	// "" is the root.
	of func(pkg string) bool
	// never says what such a package must not import; deep: nor reach through
	// others. Paths of this module are given in full.
	never func(pkg, imported string) bool
	deep  bool
}

// violations returns a path of imports for each package that breaks the rule.
func (r *importRule) violations(g importGraph) [][]string {
	var broken [][]string
	for _, path := range slices.Sorted(maps.Keys(g)) {
		pkg, ours := below(path)
		if !ours || !r.of(pkg) {
			continue
		}
		if found := r.search(g, pkg, path); found != nil {
			broken = append(broken, found)
		}
	}
	return broken
}

// search goes breadth first, so that the path it returns is a shortest one.
func (r *importRule) search(g importGraph, pkg, start string) []string {
	from := map[string]string{start: ""}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		for _, imported := range g[queue[0]] {
			if _, seen := from[imported]; seen {
				continue
			}
			from[imported] = queue[0]
			if r.never(pkg, imported) {
				var path []string
				for at := imported; at != ""; at = from[at] {
					path = append(path, at)
				}
				slices.Reverse(path)
				return path
			}
			if r.deep {
				queue = append(queue, imported)
			}
		}
	}
	return nil
}

// below returns the path of a package of this module, without the module's.
func below(path string) (pkg string, ours bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// within reports whether pkg is dir or lies in it.
func within(pkg, dir string) bool {
	return pkg == dir || strings.HasPrefix(pkg, dir+"/")
}

// standard reports whether a package belongs to the standard library.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// moduleUse is what the module's packages and their tests import directly.
type moduleUse map[string][]string // module: the packages that import it

// loadImports asks the go command for the true graph.
func loadImports(t *testing.T) (importGraph, moduleUse) {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-test",
		"-json=ImportPath,Imports,TestImports,XTestImports,Module,ForTest", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	graph, moduleOf, used := make(importGraph), make(map[string]string), make(map[string][]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, ForTest                string
			Imports, TestImports, XTestImports []string
			Module                             *struct{ Path string }
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if p.ForTest != "" || strings.HasSuffix(p.ImportPath, ".test") {
			continue // The same package again, compiled for a test.
		}
		graph[p.ImportPath] = p.Imports
		if p.Module != nil {
			moduleOf[p.ImportPath] = p.Module.Path
		}
		used[p.ImportPath] = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
	}
	use := make(moduleUse)
	for path, imports := range used {
		pkg, ours := below(path)
		if !ours {
			continue
		}
		for _, imported := range imports {
			if mod := moduleOf[imported]; mod != "" && mod != module && !slices.Contains(use[mod], pkg) {
				use[mod] = append(use[mod], pkg)
			}
		}
	}
	return graph, use
}

// loadRequired returns every module that go.mod names, the indirect ones too.
func loadRequired(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatalf("go mod edit -json: %v", err)
	}
	var mod struct {
		Module  struct{ Path string }
		Require []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil || mod.Module.Path != module {
		t.Fatalf("go.mod is of %q: %v", mod.Module.Path, err)
	}
	paths := make([]string, 0, len(mod.Require))
	for _, r := range mod.Require {
		paths = append(paths, r.Path)
	}
	return paths
}
