package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/awslabs/goformation/v7"
	"github.com/awslabs/goformation/v7/cloudformation/serverless"
	"gopkg.in/yaml.v3"
)

// template is a CloudFormation template with its functions as they are written:
// {"Fn::Sub": …}, {"Ref": …}.
func template(t testing.TB, path string) map[string]any {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, path)), &doc); err != nil {
		t.Fatal(err)
	}
	m, ok := long(doc.Content[0]).(map[string]any)
	if !ok {
		t.Fatalf("%s is no map", path)
	}
	return m
}

// long turns the short form of functions, such as !Sub, into the long one.
func long(n *yaml.Node) any {
	var v any
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = long(n.Content[i+1])
		}
		v = m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			list[i] = long(c)
		}
		v = list
	default:
		v = n.Value
		if n.ShortTag() == "!!bool" {
			v = n.Value == "true"
		}
	}
	name, short := strings.CutPrefix(n.Tag, "!")
	switch {
	case !short || strings.HasPrefix(name, "!"):
		return v
	case name == "Ref" || name == "Condition":
		return map[string]any{name: v}
	}
	return map[string]any{"Fn::" + name: v}
}

// at walks into a template by keys and indices.
func at(t testing.TB, v any, path ...any) any {
	t.Helper()
	for _, key := range path {
		switch k := key.(type) {
		case string:
			m, ok := v.(map[string]any)
			if _, there := m[k]; !ok || !there {
				t.Fatalf("%v has no %s", path, k)
			}
			v = m[k]
		case int:
			list, ok := v.([]any)
			if !ok || k >= len(list) {
				t.Fatalf("%v has no %d", path, k)
			}
			v = list[k]
		}
	}
	return v
}

// SAM as goformation's types have it: a property that is misspelled or of
// another type is an error.
func TestSAMParses(t *testing.T) {
	out, err := goformation.Open(samFile)
	if err != nil {
		t.Fatal(err)
	}
	functions := out.GetAllServerlessFunctionResources()
	if len(functions) != 4 {
		t.Errorf("%d functions, want 4", len(functions))
	}
	for name, f := range functions {
		checkFunction(t, name, f)
	}
	for name, m := range out.GetAllLambdaEventSourceMappingResources() {
		if fmt.Sprint(m.FunctionResponseTypes) != "[ReportBatchItemFailures]" {
			t.Errorf("%s deletes what fails", name)
		}
	}
	authorizer, err := out.GetApiGatewayV2AuthorizerWithName("TokenAuthorizer")
	if err != nil {
		t.Fatal(err)
	}
	if len(authorizer.IdentitySource) > 0 {
		t.Error("an identity source refuses clients whose token is elsewhere")
	}
	table, err := out.GetDynamoDBTableWithName("ConnectionsTable")
	if err != nil {
		t.Fatal(err)
	}
	if table.StreamSpecification == nil || table.TimeToLiveSpecification == nil || !table.TimeToLiveSpecification.Enabled {
		t.Error("the connections table has no stream or no expiry")
	}
}

func checkFunction(t *testing.T, name string, f *serverless.Function) {
	t.Helper()
	if f.Timeout == nil || f.FunctionName == nil {
		t.Errorf("%s has no timeout or name", name)
	}
	if f.CodeUri == nil || f.CodeUri.String == nil || !strings.HasPrefix(*f.CodeUri.String, "../serverless/dist/") {
		t.Errorf("%s is not one of the zip files of make lambdas", name)
	}
}

// Every Ref, GetAtt and Sub names something that there is.
func TestSAMReferences(t *testing.T) {
	const path = samFile
	doc := template(t, path)
	known := map[string]bool{}
	for _, section := range []string{"Parameters", "Resources"} {
		for name := range doc[section].(map[string]any) {
			known[name] = true
		}
	}
	conditions := doc["Conditions"].(map[string]any)
	used := map[string]bool{}
	walk(doc["Resources"], func(key string, v any) {
		switch key {
		case "Ref":
			used[v.(string)] = true
		case "Fn::GetAtt":
			name, _, _ := strings.Cut(v.(string), ".")
			used[name] = true
		case "Fn::If":
			if name := v.([]any)[0].(string); conditions[name] == nil {
				t.Errorf("there is no condition %s", name)
			}
		case "Condition":
			if name, ok := v.(string); ok && conditions[name] == nil {
				t.Errorf("there is no condition %s", name)
			}
		case "Fn::Sub":
			for _, name := range placeholders(v) {
				name, _, _ = strings.Cut(name, ".")
				used[name] = true
			}
		}
	})
	for name := range used {
		if !known[name] && !strings.HasPrefix(name, "AWS::") {
			t.Errorf("%s: there is no %q", path, name)
		}
	}
	for name := range doc["Parameters"].(map[string]any) {
		if !used[name] && !strings.Contains(fmt.Sprint(conditions, doc["Rules"]), name) {
			t.Errorf("the parameter %s does nothing", name)
		}
	}
}

// placeholders returns the names in a Sub that its own values do not give.
func placeholders(sub any) (names []string) {
	text, own := "", map[string]any{}
	switch v := sub.(type) {
	case string:
		text = v
	case []any:
		text, own = v[0].(string), v[1].(map[string]any)
	}
	for _, part := range strings.Split(text, "${")[1:] {
		name, _, _ := strings.Cut(part, "}")
		if _, ok := own[name]; !ok && !strings.HasPrefix(name, "!") {
			names = append(names, name)
		}
	}
	return names
}

func walk(v any, visit func(key string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			visit(key, value)
			walk(value, visit)
		}
	case []any:
		for _, value := range v {
			walk(value, visit)
		}
	}
}

// The mapping templates of SAM are those of Terraform: one is tested for both.
func TestSAMMappingTemplates(t *testing.T) {
	doc := template(t, samFile)
	for name, where := range map[string][2]string{
		"connect": {"ConnectIntegrationDirect", "RequestTemplates"}, "disconnect": {"DisconnectIntegrationDirect", "RequestTemplates"},
		"publish": {"PublishIntegration", "RequestTemplates"}, "publish_ack": {"PublishAck", "ResponseTemplates"},
		"send": {"SendIntegration", "RequestTemplates"}, "send_ack": {"SendAck", "ResponseTemplates"},
		"ping": {"PingIntegration", "RequestTemplates"}, "pong": {"PingIntegrationResponse", "ResponseTemplates"},
		"error": {"PublishError", "ResponseTemplates"}, "error ": {"SendError", "ResponseTemplates"},
	} {
		text := at(t, doc, "Resources", where[0], "Properties", where[1], "$default")
		if sub, ok := text.(map[string]any); ok {
			text = at(t, sub, "Fn::Sub", 0)
		}
		if got, want := oneLine(text.(string)), mapping(t, strings.TrimSpace(name)); got != want {
			t.Errorf("%s of SAM is\n%s\nthat of Terraform\n%s", name, got, want)
		}
	}
}

// Every resource and property against AWS's own specification.
func TestCloudFormationSpecification(t *testing.T) {
	if text := specFaults(t, template(t, samFile)); !strings.HasSuffix(text, " 0 faults") {
		t.Error(text)
	}
}

func specFaults(t testing.TB, doc any) string {
	t.Helper()
	dir := needsTooling(t, "@aws-cdk/aws-service-spec")
	cmd := exec.Command("node", "spec.cjs", dir)
	cmd.Stdin = strings.NewReader(asJSON(t, doc))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
