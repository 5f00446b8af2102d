package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const provider = "registry.terraform.io/hashicorp/aws"

// terraformTree copies examples/terraform to where Terraform may leave its
// files, with zip files that are none, and returns it with a mirror of the
// provider. Without terraform or the mirror the test says that it did not run:
// neither can be installed from where the other tools come.
func terraformTree(t *testing.T) (tree, mirror string) {
	t.Helper()
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("runs terraform; set SUMU_E2E=1 to run it")
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		notRun(t, "terraform is not on PATH")
	}
	mirror = os.Getenv("TF_PLUGIN_DIR")
	if mirror == "" {
		for _, pattern := range []string{"/opt/*", "/usr/share/terraform/*", "/usr/local/share/terraform/*"} {
			found, err := filepath.Glob(filepath.Join(pattern, provider))
			if err != nil {
				t.Fatal(err)
			}
			if len(found) > 0 {
				mirror = strings.TrimSuffix(found[0], "/"+provider)
				break
			}
		}
	}
	if mirror == "" {
		notRun(t, "there is no mirror of "+provider+"; name its folder in TF_PLUGIN_DIR")
	}
	dir := t.TempDir()
	tree = filepath.Join(dir, "terraform")
	if err := os.CopyFS(tree, os.DirFS(root+"/examples/terraform")); err != nil {
		t.Fatal(err)
	}
	zips := filepath.Join(dir, "serverless", "dist")
	if err := os.MkdirAll(zips, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"authorizer", "websocket", "pusher", "presence"} {
		if err := os.WriteFile(filepath.Join(zips, name+".zip"), []byte("not a zip"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree, mirror
}

// notRun skips, and says so where a run without -v shows it too.
func notRun(t *testing.T, why string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "test/deploy: %s did NOT run: %s\n", t.Name(), why)
	t.Skip(why)
}

func terraform(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("terraform", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+os.DevNull, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
		"AWS_ACCESS_KEY_ID=AKIAFAKE", "AWS_SECRET_ACCESS_KEY=fake", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func initialized(t *testing.T, dir, mirror string) string {
	t.Helper()
	terraform(t, dir, "init", "-no-color", "-backend=false", "-input=false", "-plugin-dir="+mirror)
	return dir
}

func TestTerraformRootExample(t *testing.T) {
	tree, mirror := terraformTree(t)
	terraform(t, tree, "fmt", "-check", "-recursive", "-diff", "-no-color")
	initialized(t, tree, mirror)
	terraform(t, tree, "validate", "-no-color")

	// The provider's own settings, so that nothing is called.
	override := `provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
`
	if err := os.WriteFile(filepath.Join(tree, "provider.tf"), []byte(override), 0o644); err != nil {
		t.Fatal(err)
	}
	terraform(t, tree, "plan", "-no-color", "-input=false", "-out=plan.bin",
		"-var=issuer_jwks_uri=https://example.eu.auth0.com/.well-known/jwks.json", `-var=authorized_audiences=["demo"]`,
		"-var=domain_name=example.com", "-var=r53_zone_id=Z123", "-var=cert_arn=arn:aws:acm:us-east-1:123456789012:certificate/x")
	p := planned(t, tree)
	terraform(t, tree, "plan", "-no-color", "-input=false", // Without a domain of one's own.
		"-var=issuer_jwks_uri=https://example.eu.auth0.com/.well-known/jwks.json", `-var=authorized_audiences=["demo"]`)
	for _, want := range []string{
		"module.sumu.aws_apigatewayv2_api.this", "module.sumu.module.pusher.module.function.aws_lambda_function.this",
		"module.sumu.module.presence[0].aws_lambda_function.this", "module.domain[0].aws_apigatewayv2_api_mapping.this[\"statefull/push\"]",
	} {
		if _, ok := p[want]; !ok {
			t.Errorf("the plan lacks %s", want)
		}
	}
}

// The block that users of the original stack have plans as it is, and says
// which of its inputs do nothing any more.
func TestTerraformBlockOfTheOriginal(t *testing.T) {
	tree, mirror := terraformTree(t)
	dir := filepath.Join(tree, "original")
	if err := os.CopyFS(dir, os.DirFS("testdata/original")); err != nil {
		t.Fatal(err)
	}
	initialized(t, dir, mirror)
	out := terraform(t, dir, "plan", "-no-color", "-input=false", "-out=plan.bin")
	if want := "ci_notifications_slack_channels, github, github_repository, s3_artifacts"; !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
		t.Errorf("the plan does not warn of %s", want)
	}
	// Its mapping's key is "live".
	if want := `so the domain's mapping must have the key "push"`; !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
		t.Errorf("the plan does not say %s", want)
	}
	if want := `management = "https://live.example.com/push"`; !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
		t.Errorf("the plan lacks the output %s", want)
	}
	p := planned(t, dir)
	for name, f := range p {
		if !strings.HasSuffix(name, "aws_lambda_function.this") {
			continue
		}
		if f["runtime"] != "provided.al2023" || fmt.Sprint(f["architectures"]) != "[arm64]" {
			t.Errorf("%s: %v on %v", name, f["runtime"], f["architectures"])
		}
	}
	for name, m := range p {
		if strings.Contains(name, "aws_lambda_event_source_mapping") && fmt.Sprint(m["function_response_types"]) != "[ReportBatchItemFailures]" {
			t.Errorf("%s deletes what fails", name)
		}
	}
}

// planned returns the planned values of all resources, by address.
func planned(t *testing.T, dir string) map[string]map[string]any {
	t.Helper()
	type module struct {
		Resources []struct {
			Address string
			Values  map[string]any
		}
		ChildModules []json.RawMessage `json:"child_modules"`
	}
	var plan struct {
		PlannedValues struct {
			RootModule json.RawMessage `json:"root_module"`
		} `json:"planned_values"`
	}
	if err := json.Unmarshal([]byte(terraform(t, dir, "show", "-json", "plan.bin")), &plan); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	queue := []json.RawMessage{plan.PlannedValues.RootModule}
	for len(queue) > 0 {
		var m module
		if err := json.Unmarshal(queue[0], &m); err != nil {
			t.Fatal(err)
		}
		queue = append(queue[1:], m.ChildModules...)
		for _, r := range m.Resources {
			all[r.Address] = r.Values
		}
	}
	if len(all) == 0 {
		t.Fatal("the plan is empty")
	}
	return all
}

// The validations of inputs, as tests/ of each module has them.
func TestTerraformInputs(t *testing.T) {
	tree, mirror := terraformTree(t)
	modules, err := filepath.Glob(filepath.Join(tree, "modules", "*", "tests"))
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) != 3 {
		t.Fatalf("%d modules have tests, want 3", len(modules))
	}
	for _, m := range modules {
		dir := filepath.Dir(m)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			out := terraform(t, initialized(t, dir, mirror), "test", "-no-color")
			if !strings.Contains(out, " passed, 0 failed.") || strings.Contains(out, "Success! 0 passed") {
				t.Error(out)
			}
		})
	}
}
