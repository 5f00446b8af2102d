package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packaged is the CloudFormation template that "serverless package" makes of
// examples/serverless-framework, without any network.
func packaged(t *testing.T, env ...string) map[string]any {
	t.Helper()
	tooling := needsTooling(t, "serverless")
	dir := t.TempDir()
	service := filepath.Join(dir, "examples", "serverless-framework")
	if err := os.CopyFS(service, os.DirFS(root+"/examples/serverless-framework")); err != nil {
		t.Fatal(err)
	}
	zips := filepath.Join(dir, "examples", "serverless", "dist")
	if err := os.MkdirAll(zips, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"authorizer", "websocket", "pusher"} {
		// An archive without files: its end record alone.
		if err := os.WriteFile(filepath.Join(zips, name+".zip"), append([]byte("PK\x05\x06"), make([]byte, 18)...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("node", filepath.Join(tooling, "node_modules/serverless/bin/serverless.js"), "package")
	cmd.Dir = service
	cmd.Env = append(env,
		"PATH="+os.Getenv("PATH"), "HOME="+dir, "CI=1", "SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off",
		// A call would fail: nobody listens there.
		"http_proxy=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1",
		"AWS_EC2_METADATA_DISABLED=true", "JWT_ISSUER_JWKS_URI=https://issuer.example.com/keys", "JWT_AUTHORIZED_AUDIENCES=demo",
	)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("serverless package: %v\n%s", err, out.String())
	}
	var doc map[string]any
	text := read(t, filepath.Join(service, ".serverless", "cloudformation-template-update-stack.json"))
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestServerlessPackage(t *testing.T) {
	doc := packaged(t)
	resources := doc["Resources"].(map[string]any)
	routes := map[string]bool{}
	for _, r := range resources {
		properties, _ := r.(map[string]any)["Properties"].(map[string]any)
		switch at(t, r, "Type") {
		case "AWS::ApiGatewayV2::Route":
			routes[properties["RouteKey"].(string)] = true
		case "AWS::ApiGatewayV2::Authorizer":
			if sources, _ := properties["IdentitySource"].([]any); len(sources) > 0 {
				t.Errorf("the identity sources %v refuse clients whose token is elsewhere", sources)
			}
		case "AWS::Lambda::EventSourceMapping":
			if asJSON(t, properties["FunctionResponseTypes"]) != `["ReportBatchItemFailures"]` {
				t.Errorf("%v deletes what fails", properties)
			}
		case "AWS::Lambda::Function":
			if properties["Runtime"] != "provided.al2023" || asJSON(t, properties["Architectures"]) != `["arm64"]` {
				t.Errorf("%v on %v", properties["Runtime"], properties["Architectures"])
			}
		}
	}
	for _, want := range []string{"$connect", "$disconnect", "$default", "submitIotEvent", "subscribe", "unsubscribe"} {
		if !routes[want] {
			t.Errorf("there is no route %s", want)
		}
	}
	if text := specFaults(t, numbersAsText(doc)); !strings.HasSuffix(text, " 0 faults") {
		t.Error(text)
	}
}

// numbersAsText writes numbers as the reader of YAML here does.
func numbersAsText(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = numbersAsText(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = numbersAsText(e)
		}
		return out
	case float64:
		b, _ := json.Marshal(v) // A number of JSON always marshals.
		return string(b)
	}
	return v
}

// chosen is a value of a packaged template with its conditions applied. Only
// those are known that compare two texts.
func chosen(t *testing.T, doc map[string]any, v any) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if cases, ok := v["Fn::If"].([]any); ok {
			name := cases[0].(string)
			texts := at(t, doc["Conditions"], name, "Fn::Equals").([]any)
			if texts[0] == texts[1] {
				return chosen(t, doc, cases[1])
			}
			return chosen(t, doc, cases[2])
		}
		out := map[string]any{}
		for k, member := range v {
			if c := chosen(t, doc, member); asJSON(t, c) != `{"Ref":"AWS::NoValue"}` {
				out[k] = c
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = chosen(t, doc, v[i])
		}
		return out
	}
	return v
}

// Requests by a FIFO queue keep their order; so must its dead letters.
func TestServerlessRequestsFIFO(t *testing.T) {
	for _, fifo := range []string{"false", "true"} {
		doc := packaged(t, "REQUESTS_FIFO="+fifo)
		queue := chosen(t, doc, at(t, doc["Resources"], "RequestsQueue", "Properties")).(map[string]any)
		name, dead := queue["QueueName"].(string), at(t, queue, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt").([]any)[0].(string)
		want := map[string]any{"FifoQueue": nil, "DeduplicationScope": nil, "FifoThroughputLimit": nil}
		if fifo == "true" {
			want = map[string]any{"FifoQueue": true, "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
		}
		for k, v := range want {
			if queue[k] != v {
				t.Errorf("FIFO %s: %s is %v, want %v", fifo, k, queue[k], v)
			}
		}
		if strings.HasSuffix(name, ".fifo") != (fifo == "true") {
			t.Errorf("FIFO %s: the queue is named %s", fifo, name)
		}
		letters := chosen(t, doc, at(t, doc["Resources"], dead, "Properties")).(map[string]any)
		if (letters["FifoQueue"] == true) != (fifo == "true") || strings.HasSuffix(letters["QueueName"].(string), ".fifo") != (fifo == "true") {
			t.Errorf("FIFO %s: its dead letters are %v", fifo, letters)
		}
	}
}
