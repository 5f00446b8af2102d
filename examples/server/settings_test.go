package main

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/authorizer"
)

// complete is the least that must be set.
var complete = map[string]string{
	"SUMU_ENDPOINT":               "http://127.0.0.1:8081",
	"SUMU_NODE_HOSTS":             "127.0.0.1:8081, 127.0.0.1:8082",
	"SUMU_NODE_ACCESS_KEY_ID":     "nodes",
	"SUMU_NODE_SECRET_ACCESS_KEY": "a secret of the nodes",
	"SUMU_NOTIFY_SECRET":          "a secret of the backend",
	"SUMU_REQUESTS_QUEUE_URL":     "http://127.0.0.1:9324/000000000000/requests",
	"AWS_REGION":                  "eu-central-1",
	"JWT_ISSUER_JWKS_URI":         "https://id.example.com/jwks.json",
	"JWT_ISSUER":                  "https://id.example.com",
	"JWT_AUTHORIZED_AUDIENCES":    "chat,mobile",
}

func read(changes map[string]string) (settings, error) {
	vars := maps.Clone(complete)
	maps.Copy(vars, changes)
	return readSettings(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

func TestSettings(t *testing.T) {
	s, err := read(nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.listen != "127.0.0.1:8080" || s.node != "node" || s.connectionsTable != "connections" || s.stateTable != "state" ||
		s.leaseTTL != 30*time.Second || s.drain != 20*time.Second || s.sweepEvery != time.Minute || s.insecureHTTP || s.trustedProxies != nil || s.compress != 0 {
		t.Errorf("the defaults are %+v", s)
	}
	if !slices.Equal(s.nodeHosts, []string{"127.0.0.1:8081", "127.0.0.1:8082"}) || !slices.Equal(s.audiences, []string{"chat", "mobile"}) {
		t.Errorf("the lists are %q and %q", s.nodeHosts, s.audiences)
	}
	if s.presence != presenceNotify || s.presenceURL != "" || s.grace != 10*time.Second || s.messagesURL != "" || s.openChannels || s.grants != nil {
		t.Errorf("what clients may do by default is %+v", s)
	}
	s, err = read(map[string]string{
		"SUMU_ENDPOINT": "http://10.0.0.7:8080", "SUMU_NODE_HOSTS": "*.nodes.example.com", "SUMU_INSECURE_HTTP": "True",
		"SUMU_LEASE_TTL": "3s", "SUMU_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8", "SUMU_COMPRESS": "1024",
		"SUMU_ORIGINS": "https://app.example.com, https://*.example.org",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.nodeHosts, []string{"*.nodes.example.com", "10.0.0.7:8080"}) {
		t.Errorf("the hosts are %q; want the node's own among them", s.nodeHosts)
	}
	if !slices.Equal(s.origins, []string{"https://app.example.com", "https://*.example.org"}) {
		t.Errorf("the origins are %q", s.origins)
	}
	if s.leaseTTL != 3*time.Second || s.compress != 1024 || !slices.Equal(s.trustedProxies, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}) {
		t.Errorf("read %+v", s)
	}
}

func TestSettingsOfClients(t *testing.T) {
	s, err := read(map[string]string{
		"SUMU_PRESENCE": "queue", "SUMU_PRESENCE_QUEUE_URL": "https://sqs.example.com/presence", "SUMU_PRESENCE_GRACE": "2s",
		"SUMU_MESSAGES_QUEUE_URL": "https://sqs.example.com/messages", "SUMU_OPEN_CHANNELS": "true", "SUMU_DEFAULT_CHANNEL": "default",
		"JWT_GRANTS": "join,post:room.{claims.org}.* subscribe:Click",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.presence != presenceQueue || s.presenceURL != "https://sqs.example.com/presence" || s.grace != 2*time.Second ||
		s.messagesURL != "https://sqs.example.com/messages" || !s.openChannels || s.defaultChannel != "default" {
		t.Errorf("read %+v", s)
	}
	if len(s.grants) != 2 || s.grants[0].Pattern != "room.{claims.org}.*" || s.grants[1].Pattern != "Click" {
		t.Errorf("the grants are %v", s.grants)
	}
	if _, err := read(map[string]string{"SUMU_PRESENCE": "queue"}); err == nil || !strings.HasPrefix(err.Error(), "SUMU_PRESENCE_QUEUE_URL is not set") {
		t.Errorf("events to no queue: %v", err)
	}
}

func TestSettingsNameAllThatIsMissing(t *testing.T) {
	_, err := readSettings(func(string) (string, bool) { return "", false })
	if err == nil {
		t.Fatal("nothing is missing")
	}
	lines := strings.Split(err.Error(), "\n")
	for name := range complete {
		if !slices.Contains(lines, name+" is not set") {
			t.Errorf("%q lacks %s", lines, name)
		}
	}
	if len(lines) != len(complete) {
		t.Errorf("%d lines for %d variables: %q", len(lines), len(complete), lines)
	}
}

func TestSettingsNameAllThatIsWrong(t *testing.T) {
	wrong := map[string]string{
		"SUMU_ENDPOINT":               "ftp://value",
		"SUMU_NODE_HOSTS":             " , ",
		"SUMU_INSECURE_HTTP":          "value",
		"SUMU_NODE_SECRET_ACCESS_KEY": "value",
		"SUMU_NOTIFY_SECRET":          "value",
		"SUMU_LEASE_TTL":              "value",
		"SUMU_DRAIN":                  "-1s",
		"SUMU_TRUSTED_PROXIES":        "value,value",
		"SUMU_REQUESTS_QUEUE_URL":     "value",
		"SUMU_COMPRESS":               "-1",
		"SUMU_PRESENCE":               "value",
		"SUMU_PRESENCE_QUEUE_URL":     "value",
		"SUMU_PRESENCE_GRACE":         "value",
		"SUMU_MESSAGES_QUEUE_URL":     "value",
		"SUMU_OPEN_CHANNELS":          "value",
		"JWT_GRANTS":                  "value",
		"JWT_ISSUER_JWKS_URI":         "https:///value",
	}
	_, err := read(wrong)
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	lines := strings.Split(err.Error(), "\n")
	for name := range wrong {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" is ") }) {
			t.Errorf("%q lacks %s", lines, name)
		}
	}
	if len(lines) != len(wrong) || strings.Contains(err.Error(), "value") {
		t.Errorf("%d lines for %d variables, or a value in them: %q", len(lines), len(wrong), lines)
	}
}

func TestEndpointInClear(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"http://127.0.0.1:1": true, "http://[::1]:1": true, "http://localhost:1": true, "https://node.example.com": true,
		"http://10.0.0.1:1": false, "http://node.example.com": false,
	} {
		_, err := read(map[string]string{"SUMU_ENDPOINT": endpoint})
		if ok != (err == nil) || !ok && !strings.Contains(err.Error(), "SUMU_INSECURE_HTTP") {
			t.Errorf("%s: %v", endpoint, err)
		}
		if _, err := read(map[string]string{"SUMU_ENDPOINT": endpoint, "SUMU_INSECURE_HTTP": "1"}); err != nil {
			t.Errorf("%s with SUMU_INSECURE_HTTP: %v", endpoint, err)
		}
	}
}

// What the tokens of a provider need is told by the URL of its keys.
func TestTokensOfCognito(t *testing.T) {
	const pool = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"
	for _, tt := range []struct {
		name   string
		vars   map[string]string
		claims []string
		uses   []string
	}{
		{"any issuer", nil, nil, nil},
		{"Cognito", map[string]string{"JWT_ISSUER_JWKS_URI": pool + "/.well-known/jwks.json", "JWT_ISSUER": pool}, []string{"aud", "client_id"}, []string{"id", "access"}},
		{"claims that are named", map[string]string{"JWT_AUDIENCE_CLAIMS": "aud, azp"}, []string{"aud", "azp"}, nil},
	} {
		s, err := read(tt.vars)
		if err != nil {
			t.Fatal(err)
		}
		var o authorizer.Options
		s.tokens(&o)
		if !slices.Equal(o.AudienceClaims, tt.claims) || !slices.Equal(o.Require["token_use"], tt.uses) || o.Issuer != s.issuer || !slices.Equal(o.Audiences, s.audiences) {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}
