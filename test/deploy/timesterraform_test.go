package deploy

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"
)

// terraformTimes evaluates what the modules say of numbers: locals, and sums of them.
func terraformTimes(t *testing.T) times {
	t.Helper()
	var blocks hclsyntax.Blocks
	sources := map[*hclsyntax.Block]string{}
	files, err := filepath.Glob(root + "/examples/terraform/modules/*/*.tf")
	if err != nil {
		t.Fatal(err)
	}
	parser := hclparse.NewParser()
	for _, path := range files {
		f, diags := parser.ParseHCLFile(path)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, b := range f.Body.(*hclsyntax.Body).Blocks {
			blocks = append(blocks, b)
			sources[b] = string(f.Bytes)
		}
	}
	locals := &hcl.EvalContext{Variables: map[string]cty.Value{"local": cty.ObjectVal(numbersOf(blocks))}}
	number := func(e hclsyntax.Expression) (n int) {
		v, diags := e.Value(locals)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if err := gocty.FromCtyValue(v, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	d := times{map[string]*queueTimes{}, map[string]streamTimes{}}
	timeouts := map[string]int{} // of functions, by their module's name
	for _, b := range blocks {
		switch {
		case b.Type == "module" && b.Body.Attributes["timeout_seconds"] != nil:
			e := b.Body.Attributes["timeout_seconds"].Expr
			if _, diags := e.Value(locals); !diags.HasErrors() { // Else a module's own, which is given here.
				timeouts[b.Labels[0]] = number(e)
			}
		case b.Type == "resource" && b.Labels[0] == "aws_sqs_queue":
			d.queues[b.Labels[1]] = moduleQueue(t, b, sources[b], number)
		case b.Type == "resource" && b.Labels[0] == "aws_lambda_event_source_mapping" && b.Body.Attributes["maximum_retry_attempts"] != nil:
			s := streamTimes{
				retries: number(b.Body.Attributes["maximum_retry_attempts"].Expr),
				age:     number(b.Body.Attributes["maximum_record_age_in_seconds"].Expr),
				report:  b.Body.Attributes["function_response_types"] != nil,
			}
			for _, inner := range b.Body.Blocks {
				s.failures = s.failures || inner.Type == "destination_config"
			}
			d.streams[b.Labels[1]] = s
		}
	}
	// Module pusher is told of the queue that triggers it, and presence of its own.
	for queue, module := range map[string]string{"notifications": "pusher", "checks": "presence"} {
		if d.queues[queue] == nil || timeouts[module] == 0 {
			t.Fatalf("there is no queue %s, or no timeout of %s", queue, module)
		}
		d.queues[queue].timeout = timeouts[module]
	}
	return d
}

// numbersOf are the locals that are numbers by themselves.
func numbersOf(blocks hclsyntax.Blocks) map[string]cty.Value {
	out := map[string]cty.Value{}
	for _, b := range blocks {
		if b.Type != "locals" {
			continue
		}
		for name, a := range b.Body.Attributes {
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() && v.Type() == cty.Number {
				out[name] = v
			}
		}
	}
	return out
}

func moduleQueue(t *testing.T, b *hclsyntax.Block, source string, number func(hclsyntax.Expression) int) *queueTimes {
	t.Helper()
	q := &queueTimes{visibility: 30, retention: sqsKeeps}
	if a := b.Body.Attributes["visibility_timeout_seconds"]; a != nil {
		q.visibility = number(a.Expr)
	}
	if a := b.Body.Attributes["message_retention_seconds"]; a != nil {
		q.retention = number(a.Expr)
	}
	a := b.Body.Attributes["redrive_policy"]
	if a == nil {
		return q
	}
	policy := a.Expr.(*hclsyntax.FunctionCallExpr).Args[0].(*hclsyntax.ObjectConsExpr)
	for _, item := range policy.Items {
		at := item.ValueExpr.Range()
		switch text := source[at.Start.Byte:at.End.Byte]; hcl.ExprAsKeyword(item.KeyExpr.(*hclsyntax.ObjectConsKeyExpr).Wrapped) {
		case "maxReceiveCount":
			q.receives = number(item.ValueExpr)
		case "deadLetterTargetArn":
			q.dead = strings.FieldsFunc(text, func(r rune) bool { return r == '.' || r == '[' })[1]
		}
	}
	return q
}

func atoi(t *testing.T, v any) int {
	t.Helper()
	text, _ := v.(string)
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%v is no number", v)
	}
	return n
}
