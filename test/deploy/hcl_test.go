package deploy

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// terraformGrants reads the policy documents of the modules. A statement that
// is there on a condition counts.
func terraformGrants(t testing.TB) map[string]grants {
	t.Helper()
	files, err := filepath.Glob(root + "/examples/terraform/modules/*/*.tf")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]grants{}
	parser := hclparse.NewParser()
	for _, path := range files {
		f, diags := parser.ParseHCLFile(path)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, b := range f.Body.(*hclsyntax.Body).Blocks {
			if b.Type != "data" || b.Labels[0] != "aws_iam_policy_document" || strings.Contains(b.Labels[1], "assume") {
				continue
			}
			g := grants{}
			statements(t, b.Labels[1], string(f.Bytes), b.Body, g)
			out[b.Labels[1]] = g
		}
	}
	// Each function writes its own logs by the shared module.
	shared := out["logs"]
	delete(out, "logs")
	out["authorizer"] = grants{}
	for name, g := range out {
		if name == "apigateway" {
			continue
		}
		for one := range shared {
			g.add(one)
		}
	}
	return out
}

func statements(t testing.TB, policy, source string, body *hclsyntax.Body, g grants) {
	t.Helper()
	for _, b := range body.Blocks {
		switch b.Type {
		case "dynamic":
			for _, content := range b.Body.Blocks {
				statement(t, policy, source, content.Body, g)
			}
		case "statement":
			statement(t, policy, source, b.Body, g)
		default:
			t.Errorf("%s: a block %s", policy, b.Type)
		}
	}
}

func statement(t testing.TB, policy, source string, body *hclsyntax.Body, g grants) {
	t.Helper()
	var actions, resources []string
	for name, attribute := range body.Attributes {
		switch name {
		case "actions":
			actions = elements(t, source, attribute.Expr)
		case "resources":
			resources = elements(t, source, attribute.Expr)
		case "sid":
		default:
			t.Errorf("%s: a statement with %s", policy, name)
		}
	}
	if len(actions) == 0 || len(resources) == 0 {
		t.Errorf("%s: a statement on everything", policy)
	}
	for _, action := range actions {
		for _, resource := range resources {
			g.add(grant{strings.Trim(action, `"`), label(t, policy, resource)})
		}
	}
}

// elements returns the source of a list's elements.
func elements(t testing.TB, source string, e hclsyntax.Expression) (out []string) {
	t.Helper()
	list, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, one := range list {
		r := one.Range()
		out = append(out, source[r.Start.Byte:r.End.Byte])
	}
	return out
}
