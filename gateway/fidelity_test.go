package gateway_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fidelityRow is a row of the table in the package's documentation.
type fidelityRow struct {
	behaviour, amazon, here, test string
	deviates                      bool
}

// fidelityTable finds the table in a doc comment: the lines of four columns.
func fidelityTable(doc string) (rows []fidelityRow, bad []string) {
	for line := range strings.Lines(doc) {
		line = strings.TrimRight(line, "\n")
		cells := strings.Split(line, "|")
		if !strings.HasPrefix(line, "\t") || len(cells) < 2 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "behaviour" {
			continue
		}
		name, deviates := strings.CutPrefix(cells[0], "!")
		row := fidelityRow{behaviour: strings.TrimSpace(name), deviates: deviates}
		if len(cells) != 4 || row.behaviour == "" || cells[1] == "" || cells[2] == "" || cells[3] == "" {
			bad = append(bad, line)
			continue
		}
		row.amazon, row.here, row.test = cells[1], cells[2], cells[3]
		rows = append(rows, row)
	}
	return rows, bad
}

// check returns what is wrong with a row.
func (r fidelityRow) check(tests map[string]bool) string {
	switch {
	case !tests[r.test]:
		return "there is no test " + r.test
	case r.deviates && strings.HasPrefix(r.here, "the same"):
		return "is marked with \"!\", but it is the same"
	}
	return ""
}

// testNames returns the tests of this folder.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

// Each row of the documentation's table names a test that exists.
func TestFidelityTable(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	rows, bad := fidelityTable(f.Doc.Text())
	for _, line := range bad {
		t.Errorf("not a row of four columns: %s", line)
	}
	if len(rows) < 40 {
		t.Errorf("the table has %d rows, fewer than are known", len(rows))
	}
	tests, seen := testNames(t), make(map[string]bool)
	for _, r := range rows {
		if wrong := r.check(tests); wrong != "" {
			t.Errorf("%s: %s", r.behaviour, wrong)
		}
		if seen[r.behaviour] {
			t.Errorf("%s: there are two rows of it", r.behaviour)
		}
		seen[r.behaviour] = true
	}
}

// The check above sees what it should.
func TestFidelityTableIsChecked(t *testing.T) {
	tests := testNames(t)
	for doc, want := range map[string]string{
		"\t  a | b | c | TestNoSuchTest":    "there is no test TestNoSuchTest",
		"\t! a | b | the same | TestQuery":  "is marked with \"!\", but it is the same",
		"\t  a | b | the same | TestQuery":  "",
		"\t! a | b | another | TestQuery\n": "",
	} {
		rows, bad := fidelityTable(doc)
		if len(rows) != 1 || len(bad) != 0 || rows[0].check(tests) != want {
			t.Errorf("%q: rows %+v, %q", doc, rows, bad)
		}
	}
	for _, doc := range []string{"\t  a | b | c", "\t  a | b | c | ", "\t| b | c | TestQuery", "\ta | b | c | TestQuery | d"} {
		if rows, bad := fidelityTable("text | not in the table\n" + doc); len(rows) != 0 || len(bad) != 1 {
			t.Errorf("%q: rows %+v, %q", doc, rows, bad)
		}
	}
}
