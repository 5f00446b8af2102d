package authorizer_test

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// No type of jwx is part of this package's surface: jwx can then be replaced
// without breaking anybody, and nobody needs to import it.
func TestNoTypeOfJWXIsExported(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	pkg := typeCheck(t, newImporter(t), sourceOf(t))
	if pkg.Scope().Lookup("Authorizer") == nil {
		t.Fatal("the package was not read")
	}
	for _, where := range leaks(pkg) {
		t.Errorf("%s shows a type of jwx", where)
	}
}

// The check finds what it is for.
func TestCheckOfExportedTypesFindsLeaks(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	const head = "package authorizer\nimport (\"github.com/lestrrat-go/jwx/v2/jwk\"; \"github.com/lestrrat-go/jwx/v2/jwa\")\nvar _ jwk.Key; var _ jwa.KeyType\n"
	imp := newImporter(t)
	for decl, want := range map[string]bool{
		"func F(jwk.Key) {}":                                         true,
		"func F() (int, jwk.Set) { return 0, nil }":                  true,
		"func F(func(...map[string][]chan jwk.Key)) {}":              true,
		"type T struct { K []jwk.Key }":                              true,
		"type T struct { jwk.Key }":                                  true,
		"type T = jwk.Key":                                           true,
		"type T jwk.Key":                                             true,
		"type T interface { M(jwk.Set) }":                            true,
		"type T[K jwk.Key] struct{}":                                 true,
		"type t struct{}; func (t) M(jwk.Key) {}; var V t":           true,
		"type T int; func (*T) M() jwa.KeyType { return \"\" }":      true,
		"var V = jwk.NewSet()":                                       true,
		"const C = jwa.RSA":                                          true,
		"type T struct { k jwk.Key }":                                false,
		"type T int; func (T) m(jwk.Key) {}":                         false,
		"func f(jwk.Key) {}; type t struct { K jwk.Key }":            false,
		"type T struct { f func() }; func F(T) error { return nil }": false,
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x.go", head+decl, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := leaks(typeCheck(t, imp, func() (*token.FileSet, []*ast.File) { return fset, []*ast.File{file} }))
		if (len(found) > 0) != want {
			t.Errorf("%s: found %v", decl, found)
		}
	}
}

// newImporter reads the export data that the go command has built.
func newImporter(t *testing.T) types.Importer {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", ".")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[path] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
}

func sourceOf(t *testing.T) func() (*token.FileSet, []*ast.File) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return func() (*token.FileSet, []*ast.File) { return fset, files }
}

func typeCheck(t *testing.T, imp types.Importer, source func() (*token.FileSet, []*ast.File)) *types.Package {
	t.Helper()
	fset, files := source()
	pkg, err := (&types.Config{Importer: imp}).Check("authorizer", fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// leaks returns the exported names of a package through which a type of jwx
// can be reached.
func leaks(pkg *types.Package) []string {
	var found []string
	for _, name := range pkg.Scope().Names() {
		if !ast.IsExported(name) {
			continue
		}
		w := walker{home: pkg, seen: make(map[types.Type]bool)}
		if w.reaches(pkg.Scope().Lookup(name).Type()) {
			found = append(found, name)
		}
	}
	return found
}

type walker struct {
	home *types.Package
	seen map[types.Type]bool
}

func (w *walker) reaches(t types.Type) bool {
	if t == nil || w.seen[t] {
		return false
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		return w.reaches(types.Unalias(t))
	case *types.Named:
		return w.named(t)
	case interface{ Elem() types.Type }: // pointer, slice, array, channel, map
		m, isMap := t.(*types.Map)
		return w.reaches(t.Elem()) || isMap && w.reaches(m.Key())
	case *types.Signature:
		return w.tuple(t.Params()) || w.tuple(t.Results())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() && w.reaches(f.Type()) {
				return true
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() && w.reaches(m.Type()) {
				return true
			}
		}
		for e := range t.EmbeddedTypes() {
			if w.reaches(e) {
				return true
			}
		}
	case *types.TypeParam:
		return w.reaches(t.Constraint())
	}
	return false
}

func (w *walker) named(t *types.Named) bool {
	pkg := t.Obj().Pkg()
	if pkg == nil {
		return false
	}
	if strings.Contains(pkg.Path(), "lestrrat-go") {
		return true
	}
	if pkg != w.home {
		return false // Another package's own surface.
	}
	for m := range t.Methods() {
		if m.Exported() && w.reaches(m.Type()) {
			return true
		}
	}
	for p := range t.TypeParams().TypeParams() {
		if w.reaches(p) {
			return true
		}
	}
	return w.reaches(t.Underlying())
}

func (w *walker) tuple(vars *types.Tuple) bool {
	for v := range vars.Variables() {
		if w.reaches(v.Type()) {
			return true
		}
	}
	return false
}
