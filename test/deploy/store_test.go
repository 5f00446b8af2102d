package deploy

import (
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

// storeCalls returns what each method of the store calls of DynamoDB: by what
// it, its closures and the functions of the package that they call hold.
func storeCalls(t *testing.T) map[string]map[string]bool {
	t.Helper()
	pkgs, err := packages.Load(&packages.Config{Dir: root, Mode: packages.LoadSyntax | packages.NeedDeps | packages.NeedImports}, storePath)
	if err != nil || len(pkgs) != 1 || len(pkgs[0].Errors) > 0 {
		t.Fatalf("load %s: %v %v", storePath, err, pkgs)
	}
	prog, ssaPkgs := ssautil.Packages(pkgs, ssa.InstantiateGenerics)
	prog.Build()
	pkg := ssaPkgs[0]
	out := map[string]map[string]bool{}
	for _, name := range []string{"Store", "StateStore"} {
		typ := types.NewPointer(pkg.Type(name).Type())
		methods := types.NewMethodSet(typ)
		for i := range methods.Len() {
			m := methods.At(i)
			if !m.Obj().Exported() {
				continue
			}
			found := map[string]bool{}
			within(prog.MethodValue(m), found, map[*ssa.Function]bool{})
			out["store."+m.Obj().Name()] = found
		}
	}
	return out
}

// within collects the calls of DynamoDB's client that f leads to.
func within(f *ssa.Function, found map[string]bool, seen map[*ssa.Function]bool) {
	if f == nil || seen[f] || f.Pkg != nil && f.Pkg.Pkg.Path() != storePath {
		return
	}
	seen[f] = true
	for _, anon := range f.AnonFuncs {
		within(anon, found, seen)
	}
	for _, block := range f.Blocks {
		for _, instruction := range block.Instrs {
			// A function may be handed on as a value too.
			for _, operand := range instruction.Operands(nil) {
				if g, ok := (*operand).(*ssa.Function); ok {
					within(g, found, seen)
				}
			}
			call, ok := instruction.(ssa.CallInstruction)
			if !ok {
				continue
			}
			common := call.Common()
			if common.IsInvoke() && strings.HasSuffix(common.Value.Type().String(), "dynamostore.Client") {
				found[common.Method.Name()] = true
			}
		}
	}
}

// The table of what the store's methods need is what they call. Transactions
// are not an action of IAM: they need those of what they hold.
func TestStoreCalls(t *testing.T) {
	methods := storeCalls(t)
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		listed := map[string]bool{}
		for _, g := range tableCalls[name] {
			listed[strings.TrimPrefix(g.action, "dynamodb:")] = true
		}
		transacts := methods[name]["TransactWriteItems"]
		for op := range methods[name] {
			if !listed[op] && op != "TransactWriteItems" {
				t.Errorf("%s calls %s, which the table lacks", name, op)
			}
		}
		for op := range listed {
			if !methods[name][op] && !transacts {
				t.Errorf("%s never calls %s, which the table has", name, op)
			}
		}
		if transacts && !listed["PutItem"] && !listed["UpdateItem"] && !listed["DeleteItem"] && !listed["ConditionCheckItem"] {
			t.Errorf("%s transacts, and the table does not say what", name)
		}
	}
	for name := range tableCalls {
		if methods[name] == nil {
			t.Errorf("the store has no %s", name)
		}
	}
	if t.Failed() {
		for _, name := range slices.Sorted(maps.Keys(methods)) {
			t.Log(name, slices.Sorted(maps.Keys(methods[name])))
		}
	}
}
