package deploy

import (
	"fmt"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/callgraph/cha"
	"golang.org/x/tools/go/callgraph/vta"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

const (
	// Where the clients of AWS's services live: the package that follows is
	// the service.
	sdkPrefix = "github.com/aws/aws-sdk-go-v2/service/"
	storePath = "github.com/sumu-live/sumu/connstore/dynamostore"
	apigwPath = "github.com/sumu-live/sumu/pusher/apigw"
)

// calls returns what each program may call of AWS, with a chain of functions
// that leads there: "sqs.SendMessage" of an SDK's client, "store.Put" of the
// store in DynamoDB, "apigw.Post" of the management API. It is read from the
// program's call graph, which follows values of interfaces and functions: a
// call that any run can make is in it, and some that none does.
func calls(root string, patterns ...string) (map[string]map[string][]string, error) {
	pkgs, err := packages.Load(&packages.Config{Dir: root, Mode: packages.LoadAllSyntax}, patterns...)
	if err != nil {
		return nil, err
	}
	var errs []string
	packages.Visit(pkgs, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			errs = append(errs, e.Error())
		}
	})
	if len(pkgs) != len(patterns) || len(errs) > 0 {
		return nil, fmt.Errorf("load %v: %d packages: %s", patterns, len(pkgs), strings.Join(errs, "; "))
	}
	all := make(map[string]map[string][]string, len(pkgs))
	for _, pkg := range pkgs {
		// A graph of its own: what another program does with a type that both
		// use says nothing about this one.
		prog, _ := ssautil.AllPackages([]*packages.Package{pkg}, ssa.InstantiateGenerics)
		prog.Build()
		main := prog.Package(pkg.Types)
		all[pkg.PkgPath[strings.LastIndexByte(pkg.PkgPath, '/')+1:]] = reached(prog, main.Func("main"), main.Func("init"))
	}
	return all, nil
}

func reached(prog *ssa.Program, from ...*ssa.Function) map[string][]string {
	graph := vta.CallGraph(ssautil.AllFunctions(prog), cha.CallGraph(prog))
	found := map[string][]string{}
	parents := map[*ssa.Function]*ssa.Function{}
	queue := slices.Clone(from)
	for _, f := range from {
		parents[f] = nil
	}
	visit := func(next, f *ssa.Function) {
		if _, seen := parents[next]; !seen {
			parents[next] = f
			queue = append(queue, next)
		}
	}
	for len(queue) > 0 {
		f := queue[0]
		queue = queue[1:]
		name, inside := operation(f)
		if _, ok := found[name]; name != "" && !ok {
			found[name] = chain(parents, f)
		}
		if inside {
			continue // What it does for this is its own business.
		}
		if node := graph.Nodes[f]; node != nil {
			for _, e := range node.Out {
				visit(e.Callee.Func, f)
			}
		}
		for _, anon := range f.AnonFuncs { // It may be handed to code that the graph cannot follow.
			visit(anon, f)
		}
	}
	return found
}

// operation names what a method calls of AWS, and tells whether it is to be
// looked into no further.
func operation(f *ssa.Function) (name string, inside bool) {
	// The store's own code is not entered, nor are the closures that it hands
	// out: its methods tell what it calls.
	inside = f.Pkg != nil && f.Pkg.Pkg.Path() == storePath
	recv := f.Signature.Recv()
	if recv == nil || f.Object() == nil || !f.Object().Exported() {
		return "", inside
	}
	t := recv.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := t.(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return "", inside
	}
	path, typ := named.Obj().Pkg().Path(), named.Obj().Name()
	switch service, sdk := strings.CutPrefix(path, sdkPrefix); {
	case sdk && typ == "Client" && !strings.Contains(service, "/") && f.Name() != "Options":
		return service + "." + f.Name(), true
	case path == storePath && (typ == "Store" || typ == "StateStore"):
		return "store." + f.Name(), true
	case path == apigwPath && typ == "Sender":
		return "apigw." + f.Name(), true
	}
	return "", inside
}

func chain(parents map[*ssa.Function]*ssa.Function, f *ssa.Function) []string {
	var names []string
	for ; f != nil; f = parents[f] {
		names = append(names, f.String())
	}
	slices.Reverse(names)
	return names
}
