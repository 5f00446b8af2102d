package deploy

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

var settingName = regexp.MustCompile(`\b(?:JWT|SUMU)_[A-Z_]+\b`)

func settingsIn(text string) []string {
	return slices.Compact(slices.Sorted(slices.Values(settingName.FindAllString(text, -1))))
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// between returns what is between two marks of a text.
func between(t *testing.T, text, begin, end string) string {
	t.Helper()
	m := regexp.MustCompile(`(?s)` + begin + `(.*?)` + end).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no text between %q and %q", begin, end)
	}
	return m[1]
}

// Every deployment gives the authorizer each variable that it says it reads, and
// none that it does not.
func TestAuthorizerSettings(t *testing.T) {
	const examples = "../../examples/"
	want := settingsIn(between(t, readText(t, examples+"serverless/authorizer/main.go"), `^`, `\npackage main`))
	if len(want) < 11 {
		t.Fatalf("the authorizer reads %q", want)
	}
	read := settingsIn(between(t, readText(t, examples+"serverless/internal/tokens/tokens.go"), `\npackage tokens`, `$`) +
		between(t, readText(t, examples+"serverless/authorizer/main.go"), `\npackage main`, `$`))
	for name, got := range map[string][]string{
		"what it reads":            read,
		"terraform":                settingsIn(between(t, readText(t, examples+"terraform/modules/serverless/functions.tf"), `module "authorizer" \{`, `\n\}\n`)),
		"cloudformation":           settingsIn(between(t, readText(t, examples+"cloudformation/template.yaml"), `\n  AuthorizerFunction:\n`, `\n\n`)),
		"the Serverless Framework": settingsIn(between(t, readText(t, examples+"serverless-framework/serverless.yml"), `\n  authorizer:\n`, `\n\n`)),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
