package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each function of the template starts with the variables that it gives it, and
// none of these is one that no function reads.
func TestTemplateGivesWhatIsNeeded(t *testing.T) {
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"SUMU_CLIENT_ROLE_ARN": "arn:aws:iam::123456789012:role/client", "SUMU_CLIENT_ROLE_ID": "AROAEXAMPLEID1234567",
		"SUMU_IOT_ENDPOINT": "a1-ats.iot.eu-west-1.amazonaws.com", "SUMU_REQUESTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/requests",
		"SUMU_OUTPUT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:messages", "SUMU_OUTPUT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/messages",
		"SUMU_BACKEND": "true", "SUMU_CONNECTIONS_TABLE": "c", "SUMU_STATE_TABLE": "s",
		"JWT_ISSUER_JWKS_URI": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc/.well-known/jwks.json", "JWT_AUTHORIZED_AUDIENCES": "app",
		"JWT_AUDIENCE_CLAIMS": "", "JWT_ISSUER": "", "JWT_GRANTS": "", "SUMU_ORIGINS": "https://app.example.com",
	}
	blocks := regexp.MustCompile(`SUMU_PART: (\w+)\n((?: {10}\w+: .*\n)+)`).FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 4 {
		t.Fatalf("%d functions, want 4", len(blocks))
	}
	for _, block := range blocks {
		part, read := block[1], map[string]bool{}
		given := map[string]string{"SUMU_PART": part}
		for line := range strings.Lines(block[2]) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
			value, known := values[name]
			if !known {
				t.Errorf("%s: no value for %s", part, name)
			}
			given[name] = value
		}
		s := of(given)
		lookup := s.lookup
		s.lookup = func(name string) (string, bool) {
			read[name] = true
			return lookup(name)
		}
		if _, err := newHandler(s, discard); err != nil {
			t.Errorf("%s does not start: %v", part, err)
		}
		for name := range given {
			if !read[name] {
				t.Errorf("%s does not read %s", part, name)
			}
		}
	}
}

// What a session policy may allow, the role must allow as well: credentials are
// good for what both do.
func TestTemplateRole(t *testing.T) {
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, role, _ := strings.Cut(string(text), "\n  ClientRole:\n")
	role, _, _ = strings.Cut(role, "\n\n")
	for _, want := range []string{
		"Action: iot:Connect", "client/*", "Action: iot:Subscribe", "topicfilter/sumu/*", "topicfilter/channels/*",
		"Action: iot:Receive", "topic/sumu/*", "topic/channels/*", "Action: iot:Publish", "topic/sumu-backend/*",
	} {
		if !strings.Contains(role, want) {
			t.Errorf("the clients' role lacks %s", want)
		}
	}
	if _, publish, _ := strings.Cut(role, "Action: iot:Publish"); strings.Contains(publish, "topic/sumu/") {
		t.Error("clients may be allowed to publish to each other's own topics")
	}
}

// A wildcard in the place of the event's type would hand on refused connections
// as well, and a client can be refused as often as it likes.
func TestTemplateRules(t *testing.T) {
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var topics []string
	for _, m := range regexp.MustCompile(`FROM '(\$aws/events/[^']+)'`).FindAllStringSubmatch(string(text), -1) {
		topics = append(topics, m[1])
	}
	if want := []string{"$aws/events/presence/connected/+", "$aws/events/presence/disconnected/+"}; !slices.Equal(topics, want) {
		t.Errorf("rules select from %q, want %q", topics, want)
	}
}

// The rule for backends writes what an Inbox reads: what the broker says, and
// nothing that a client could say in its place.
func TestTemplateInboxRule(t *testing.T) {
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const want = `"SELECT encode(*, 'base64') AS data, clientid() AS client_id, topic() AS topic, timestamp() AS timestamp, traceid() AS id FROM 'sumu-backend/+/+/+'"`
	if !strings.Contains(string(text), want) {
		t.Errorf("no rule has %s", want)
	}
}
