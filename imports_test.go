package sumu_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// siblings point at the root, none at another.
var siblings = []string{"authorizer", "channels", "connstore", "events", "gateway", "iot", "notify", "presence", "pusher"}

// testHelpers are meant for tests only, ours or users'.
var testHelpers = []string{"connstore/storetest", "sumutest", "internal/components", "internal/leak", "internal/ws/wstest"}

// rootHelper reports whether a package is one that the root may use: they import
// the standard library only, and no type of theirs is in the root's interface.
func rootHelper(pkg string) bool {
	return pkg == "internal/logging" || pkg == "internal/strictjson"
}

// importRules are the rule of the tree: everything points at the root, and the
// root at the standard library.
var importRules = []importRule{
	{
		name: "the root imports the standard library only",
		why:  "every program that names one of its types would carry the dependency",
		of:   func(pkg string) bool { return pkg == "" || rootHelper(pkg) },
		never: func(_, imported string) bool {
			return !standard(imported) && !rootHelper(strings.TrimPrefix(imported, module+"/"))
		},
	},
	{
		name:  "the root does not reach net/http",
		why:   "the domain has no transport; net/http costs a Lambda megabytes and cold start",
		of:    func(pkg string) bool { return pkg == "" },
		never: func(_, imported string) bool { return imported == "net/http" },
		deep:  true,
	},
	{
		name:  "jwx is imported by authorizer alone",
		why:   "who does not verify tokens (a pusher, a backend that notifies) must not carry a JOSE library",
		of:    func(pkg string) bool { return !within(pkg, "authorizer") },
		never: func(_, imported string) bool { return within(imported, "github.com/lestrrat-go/jwx/v2") },
	},
	{
		name:  "aws-lambda-go is imported by awslambda and Lambda mains alone",
		why:   "the same handlers run on your own servers; only the adapter knows Lambda's events",
		of:    func(pkg string) bool { return !within(pkg, "awslambda") && !within(pkg, "examples") },
		never: func(_, imported string) bool { return within(imported, "github.com/aws/aws-lambda-go") },
	},
	{
		name: "notify reaches neither tokens, nor tables, nor sockets",
		why:  "a backend that only sends notifications imports it: it must stay small",
		of:   func(pkg string) bool { return within(pkg, "notify") },
		never: func(_, imported string) bool {
			pkg, ours := below(imported)
			return ours && within(pkg, "gateway") ||
				within(imported, "github.com/lestrrat-go/jwx/v2") ||
				within(imported, "github.com/aws/aws-sdk-go-v2/service/dynamodb")
		},
		deep: true,
	},
	{
		name: "what runs anywhere reaches no AWS SDK",
		why:  "a program on one machine must not carry the SDK; drivers for AWS are packages of their own",
		of: func(pkg string) bool {
			return slices.Contains([]string{"channels", "connstore/memstore", "events", "gateway", "notify", "presence", "pusher"}, pkg)
		},
		never: func(_, imported string) bool { return within(imported, "github.com/aws") },
		deep:  true,
	},
	{
		name: "IoT Core and STS are called by iot and its examples alone",
		why:  "who is on API Gateway, or on machines of their own, must not carry their clients",
		of:   func(pkg string) bool { return !within(pkg, "iot") && !within(pkg, "examples/iot") },
		never: func(_, imported string) bool {
			pkg, ours := below(imported)
			return ours && within(pkg, "iot") ||
				within(imported, "github.com/aws/aws-sdk-go-v2/service/iotdataplane") ||
				within(imported, "github.com/aws/aws-sdk-go-v2/service/sts")
		},
	},
	{
		name: "siblings do not import each other",
		why:  "they meet in the root's interfaces, so that any of them can be replaced",
		of:   func(pkg string) bool { return sibling(pkg) != "" },
		never: func(pkg, imported string) bool {
			other, ours := below(imported)
			return ours && sibling(other) != "" && sibling(other) != sibling(pkg)
		},
	},
	{
		name: "nobody imports an example",
		why:  "examples are to be copied and changed; code that others need belongs in a package",
		of:   func(string) bool { return true },
		never: func(pkg, imported string) bool {
			other, ours := below(imported)
			return ours && within(other, "examples") && exampleOf(other) != exampleOf(pkg)
		},
	},
	{
		name: "the token issuer of tests and demos uses the standard library",
		why:  "tokens made by the library that verifies them prove nothing",
		of:   func(pkg string) bool { return within(pkg, "internal/issuer") },
		never: func(_, imported string) bool {
			_, ours := below(imported)
			return !standard(imported) && !ours || strings.HasPrefix(imported, module+"/authorizer")
		},
		deep: true,
	},
	{
		name: "only helpers of tests reach testing",
		why:  "test code does not belong in users' programs",
		of: func(pkg string) bool {
			return !slices.ContainsFunc(testHelpers, func(h string) bool { return within(pkg, h) })
		},
		never: func(_, imported string) bool { return imported == "testing" },
		deep:  true,
	},
}

func sibling(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	if slices.Contains(siblings, first) {
		return first
	}
	return ""
}

// exampleOf is the example that a package belongs to: "examples/server" of
// "examples/server/internal/x".
func exampleOf(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	if parts[0] != "examples" {
		return ""
	}
	return strings.Join(parts[:min(len(parts), 2)], "/")
}

// allowedModules are those that packages of this module and their tests may
// import directly, and why. A path stands for the modules below it too.
var allowedModules = map[string]string{
	"github.com/aws/aws-sdk-go-v2":  "DynamoDB, SNS, SQS, Kinesis, IoT and SigV4",
	"github.com/aws/smithy-go":      "the error types of the SDK",
	"github.com/aws/aws-lambda-go":  "Lambda's events and runtime",
	"github.com/lestrrat-go/jwx/v2": "verification of tokens",
	"golang.org/x/sync":             "bounded concurrency and single flight",
	"go.uber.org/mock":              "mocks at narrow seams, in tests",
}

// peers are what benchmarks and interop tests measure against. They live in
// modules of their own: users must not see them in their go.sum.
var peers = []string{
	"github.com/centrifugal", "github.com/coder/websocket", "github.com/gobwas/ws", "github.com/gorilla/websocket",
	"github.com/lesismal/nbio", "github.com/lxzan/gws", "github.com/olahol/melody", "nhooyr.io/websocket",
	"github.com/stretchr/testify",
}

// moduleViolations returns what is wrong with the modules that are used.
func moduleViolations(required []string, use moduleUse) []string {
	var wrong []string
	for _, mod := range required {
		if slices.ContainsFunc(peers, func(p string) bool { return within(mod, p) }) {
			wrong = append(wrong, mod+" is in go.mod: peers belong in the bench module, so that no user downloads them")
		}
	}
	for _, mod := range slices.Sorted(maps.Keys(use)) {
		allowed := false
		for path := range allowedModules {
			allowed = allowed || within(mod, path)
		}
		if !allowed {
			wrong = append(wrong, mod+" is imported by "+strings.Join(use[mod], ", ")+
				", but not among allowedModules: do without it, or add it there with the reason")
		}
	}
	return wrong
}

func TestImports(t *testing.T) {
	graph, use := loadImports(t)
	for _, r := range importRules {
		bound := false
		for path := range graph {
			pkg, ours := below(path)
			bound = bound || ours && r.of(pkg)
		}
		if !bound {
			t.Errorf("%s: no package is bound by this rule; was one renamed?", r.name)
		}
		for _, path := range r.violations(graph) {
			t.Errorf("%s: %s\n%s", r.name, r.why, strings.Join(path, "\n  -> "))
		}
	}
	for _, wrong := range moduleViolations(loadRequired(t), use) {
		t.Error(wrong)
	}
}
