package sumu_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Each rule is broken here once by a graph that is sound otherwise, so that it
// is known to see what it should.
func TestImportRulesSeeViolations(t *testing.T) {
	const jwx, lambda = "github.com/lestrrat-go/jwx/v2/jwt", "github.com/aws/aws-lambda-go/events"
	const dynamodb = "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sound := importGraph{
		"":                               {"context", "encoding/json", "internal/logging", "internal/strictjson"},
		"context":                        {"time"},
		"net/http/pprof":                 {"net/http"},
		"testing/iotest":                 {"testing"},
		"example.com/helper":             {dynamodb},
		"authorizer":                     {"", jwx},
		"awslambda":                      {"", lambda},
		"channels":                       {"", "internal/ratelimit"},
		"events":                         {"", "internal/ratelimit"},
		"connstore/memstore":             {""},
		"connstore/dynamostore":          {"", dynamodb},
		"connstore/storetest":            {"", "testing"},
		"gateway":                        {"", "net/http"},
		"iot":                            {"", "github.com/aws/aws-sdk-go-v2/service/sts"},
		"examples/iot":                   {"", "iot", lambda, "github.com/aws/aws-sdk-go-v2/service/iotdataplane"},
		"internal/issuer":                {"crypto/rsa"},
		"internal/leak":                  {"testing"},
		"internal/logging":               {"log/slog"},
		"internal/ratelimit":             {"time"},
		"internal/strictjson":            {"encoding/json"},
		"notify":                         {""},
		"notify/snsnotify":               {"", "notify", "github.com/aws/aws-sdk-go-v2/service/sns"},
		"presence":                       {""},
		"pusher":                         {""},
		"examples/serverless":            {"", "authorizer", "gateway", "notify", lambda, "examples/serverless/internal/x"},
		"examples/serverless/internal/x": {""},
		"examples/quickstart":            {"", "gateway"},
	}
	for _, r := range importRules {
		if broken := r.violations(inModule(sound)); len(broken) > 0 {
			t.Fatalf("the sound graph breaks %q: %v", r.name, broken)
		}
	}
	broken := []struct {
		pkg, imports string
		rule         string
	}{
		{"", "golang.org/x/sync/errgroup", "the root imports the standard library only"},
		{"", "pusher", "the root imports the standard library only"},
		{"internal/logging", "internal/leak", "the root imports the standard library only"},
		{"internal/strictjson", "internal/leak", "the root imports the standard library only"},
		{"", "net/http", "the root does not reach net/http"},
		{"", "net/http/pprof", "the root does not reach net/http"},
		{"gateway", jwx, "jwx is imported by authorizer alone"},
		{"examples/quickstart", jwx, "jwx is imported by authorizer alone"},
		{"presence", lambda, "aws-lambda-go is imported by awslambda and Lambda mains alone"},
		{"notify/snsnotify", dynamodb, "notify reaches neither tokens, nor tables, nor sockets"},
		{"notify", "example.com/helper", "notify reaches neither tokens, nor tables, nor sockets"},
		{"notify", "gateway", "notify reaches neither tokens, nor tables, nor sockets"},
		{"notify", "authorizer", "notify reaches neither tokens, nor tables, nor sockets"},
		{"pusher", "example.com/helper", "what runs anywhere reaches no AWS SDK"},
		{"connstore/memstore", "connstore/dynamostore", "what runs anywhere reaches no AWS SDK"},
		{"awslambda", "iot", "IoT Core and STS are called by iot and its examples alone"},
		{"examples/serverless", "github.com/aws/aws-sdk-go-v2/service/iotdataplane", "IoT Core and STS are called by iot and its examples alone"},
		{"iot", "pusher", "siblings do not import each other"},
		{"channels", "connstore/dynamostore", "what runs anywhere reaches no AWS SDK"},
		{"events", "example.com/helper", "what runs anywhere reaches no AWS SDK"},
		{"channels", "notify", "siblings do not import each other"},
		{"events", "channels", "siblings do not import each other"},
		{"presence", "notify", "siblings do not import each other"},
		{"gateway", "connstore/memstore", "siblings do not import each other"},
		{"notify/snsnotify", "pusher", "siblings do not import each other"},
		{"awslambda", "examples/serverless/internal/x", "nobody imports an example"},
		{"examples/quickstart", "examples/serverless/internal/x", "nobody imports an example"},
		{"internal/issuer", jwx, "the token issuer of tests and demos uses the standard library"},
		{"internal/issuer", "authorizer", "the token issuer of tests and demos uses the standard library"},
		{"gateway", "testing", "only helpers of tests reach testing"},
		{"gateway", "testing/iotest", "only helpers of tests reach testing"},
		{"examples/quickstart", "internal/leak", "only helpers of tests reach testing"},
	}
	tried := make(map[string]bool)
	for _, tt := range broken {
		tried[tt.rule] = true
		bad := maps.Clone(sound)
		bad[tt.pkg] = append(slices.Clone(bad[tt.pkg]), tt.imports)
		seen := false
		for _, r := range importRules {
			if r.name != tt.rule {
				continue
			}
			for _, path := range r.violations(inModule(bad)) {
				seen = seen || path[0] == strings.TrimSuffix(module+"/"+tt.pkg, "/")
			}
		}
		if !seen {
			t.Errorf("%q imports %q, which breaks %q, but nothing was reported", tt.pkg, tt.imports, tt.rule)
		}
	}
	for _, r := range importRules {
		if !tried[r.name] {
			t.Errorf("nothing above breaks %q", r.name)
		}
	}
}

// inModule gives the packages of this module their full paths: those that have
// neither a dot in their first element nor belong to the standard library.
func inModule(short importGraph) importGraph {
	ours := []string{"", "authorizer", "awslambda", "channels", "connstore", "events", "examples", "gateway", "internal", "iot", "notify", "presence", "pusher"}
	full := func(path string) string {
		first, _, _ := strings.Cut(path, "/")
		if slices.Contains(ours, first) {
			return strings.TrimSuffix(module+"/"+path, "/")
		}
		return path
	}
	g := make(importGraph)
	for path, imports := range short {
		list := make([]string, len(imports))
		for i, imported := range imports {
			list[i] = full(imported)
		}
		g[full(path)] = list
	}
	return g
}

func TestModuleRulesSeeViolations(t *testing.T) {
	use := moduleUse{
		"github.com/aws/aws-sdk-go-v2/service/sns": {"notify/snsnotify"},
		"golang.org/x/sync":                        {"pusher"},
	}
	required := []string{"github.com/aws/aws-sdk-go-v2/service/sns", "golang.org/x/sync"}
	if wrong := moduleViolations(required, use); len(wrong) > 0 {
		t.Fatalf("what is sound is refused: %q", wrong)
	}
	if wrong := moduleViolations(append(required, "github.com/gorilla/websocket"), use); len(wrong) != 1 {
		t.Errorf("a peer in go.mod: got %q", wrong)
	}
	use["golang.org/x/syncopate"] = []string{"gateway"}
	if wrong := moduleViolations(required, use); len(wrong) != 1 || !strings.Contains(wrong[0], "gateway") {
		t.Errorf("an unknown module: got %q", wrong)
	}
}
