package logging

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.." // of the module

// TestLoggers: an error that a package logs is seen by somebody. None discards
// by default, and each option says what its default is.
func TestLoggers(t *testing.T) {
	options := make(map[string]string) // the position of a Logger option, by package
	resolved := make(map[string]bool)  // packages that call logging.Or
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".cache" || d.Name() == "testlog"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				switch name := selector(n); {
				case name == "slog.DiscardHandler":
					t.Errorf("%s: errors are discarded; use logging.Or", files.Position(n.Pos()))
				case name == "logging.Or":
					resolved[filepath.Dir(path)] = true
				}
			case *ast.Field:
				if len(n.Names) != 1 || n.Names[0].Name != "Logger" || !isLogger(n.Type) {
					break
				}
				options[filepath.Dir(path)] = files.Position(n.Pos()).String()
				if doc := strings.Join(strings.Fields(n.Doc.Text()), " "); !strings.Contains(doc, loggerDefault) {
					t.Errorf("%s: the comment is %q; want %q in it", files.Position(n.Pos()), doc, loggerDefault)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range slices.Sorted(maps.Keys(options)) {
		if !resolved[pkg] {
			t.Errorf("%s: a Logger option, and no logging.Or in its package", options[pkg])
		}
	}
	if len(options) < 10 {
		t.Errorf("%d packages with a Logger; is this the whole module?", len(options))
	}
}

const loggerDefault = "Default: [slog.Default], warnings and errors; slog.New(slog.DiscardHandler) for silence."

func selector(e *ast.SelectorExpr) string {
	x, ok := e.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + e.Sel.Name
}

func isLogger(e ast.Expr) bool {
	star, ok := e.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && selector(sel) == "slog.Logger"
}
