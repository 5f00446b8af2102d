package limits_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allLimits misses no type.
func TestAllLimitsAreKnown(t *testing.T) {
	var known []string
	for _, l := range allLimits(t) {
		known = append(known, l.options)
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			// For tests, programs, and modules of their own.
			if slices.Contains([]string{"internal", "test", "examples", "bench", "tools", "sumutest", "testdata"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, name := range limitedOptions(f) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: %s has limits, and allLimits does not know it", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// limitedOptions are the types of options in a file that have a number or a
// duration.
func limitedOptions(f *ast.File) (names []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		typ, ok := spec.Type.(*ast.StructType)
		if !ok || !spec.Name.IsExported() || !strings.HasSuffix(spec.Name.Name, "Options") {
			return true
		}
		for _, field := range typ.Fields.List {
			text := ""
			switch t := field.Type.(type) {
			case *ast.Ident:
				text = t.Name
			case *ast.SelectorExpr:
				text = t.Sel.Name
			}
			if slices.Contains([]string{"int", "int64", "float64", "Duration"}, text) && field.Names[0].IsExported() {
				names = append(names, f.Name.Name+"."+spec.Name.Name)
				break
			}
		}
		return true
	})
	return names
}
