package deploy

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// grant is an action on a resource.
type grant struct{ action, on string }

func (g grant) String() string { return g.action + " on " + g.on }

type grants map[grant]bool

func (g grants) add(all ...grant) {
	for _, one := range all {
		g[one] = true
	}
}

func (g grants) String() string {
	var lines []string
	for one := range g {
		lines = append(lines, one.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n  ")
}

// needs is what each function needs: what its code may call, and what Lambda
// does for it.
func needs(t *testing.T) map[string]grants {
	t.Helper()
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("builds the call graph of each function; set SUMU_E2E=1 to run it")
	}
	names := []string{"authorizer", "websocket", "pusher", "presence"}
	var patterns []string
	for _, name := range names {
		patterns = append(patterns, "./examples/serverless/"+name)
	}
	found, err := calls(root, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]grants{}
	for _, name := range names {
		g := grants{}
		g.add(platform[name]...)
		for _, call := range slices.Sorted(maps.Keys(found[name])) {
			if call == "apigw.Close" || call == "apigw.MaxBatch" || never[name][call] != "" {
				continue
			}
			all, ok := otherCalls[name][call]
			if !ok {
				all, ok = tableCalls[call]
			}
			if !ok {
				t.Errorf("%s may call %s, and nothing says what that needs: it is reached by\n  %s",
					name, call, strings.Join(found[name][call], "\n  "))
			}
			g.add(all...)
		}
		for _, table := range []map[string]bool{keys(never[name]), keys(otherCalls[name])} {
			for call := range table {
				if found[name][call] == nil {
					t.Errorf("%s cannot call %s any more: take it out of the tables", name, call)
				}
			}
		}
		out[name] = g
	}
	return out
}

func keys[V any](m map[string]V) map[string]bool {
	out := make(map[string]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

func TestLeastPrivilege(t *testing.T) {
	want := needs(t)
	want["apigateway"] = grants{}
	want["apigateway"].add(direct...)
	for deployment, granted := range map[string]map[string]grants{
		"Terraform": terraformGrants(t), "SAM": samGrants(t, template(t, samFile)),
	} {
		for name, w := range want {
			compare(t, deployment+": "+name, granted[name], w)
		}
	}

	// There the websocket function has no output topic and queue and no caps, and events
	// come by a stream.
	framework := samGrants(t, packaged(t))
	w := maps.Clone(want["websocket"])
	delete(w, grant{"sns:Publish", "messages topic"})
	delete(w, grant{"sqs:SendMessage", "messages queue"})
	delete(w, grant{"dynamodb:Query", "connections"}) // It has no caps.
	compare(t, "Serverless Framework: websocket", framework["websocket"], w)
	p := maps.Clone(want["pusher"])
	for _, action := range []string{"DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"} {
		p.add(grant{"kinesis:" + action, "events stream"})
	}
	compare(t, "Serverless Framework: pusher", framework["pusher"], p)
	compare(t, "Serverless Framework: authorizer", framework["authorizer"], want["authorizer"])
}

func compare(t *testing.T, what string, got, want grants) {
	t.Helper()
	for g := range want {
		if !got[g] {
			t.Errorf("%s may not %s, which it calls", what, g)
		}
	}
	for g := range got {
		if !want[g] {
			t.Errorf("%s may %s, which it never calls", what, g)
		}
	}
}

// label names a resource of a policy; a policy on anything else is a fault.
func label(t testing.TB, policy, resource string) string {
	t.Helper()
	if strings.Contains(resource, ":log-group:/aws/lambda/") || strings.Contains(resource, "Logs.Arn}") {
		return "logs"
	}
	name, ok := labels[resource]
	if !ok {
		t.Errorf("%s: the resource %s is none that is known", policy, resource)
	}
	return name
}

// samGrants reads the roles of a CloudFormation template.
func samGrants(t testing.TB, doc map[string]any) map[string]grants {
	t.Helper()
	out := map[string]grants{}
	for logical, r := range doc["Resources"].(map[string]any) {
		if at(t, r, "Type") != "AWS::IAM::Role" {
			continue
		}
		g := grants{}
		for _, p := range at(t, r, "Properties", "Policies").([]any) {
			for _, s := range at(t, p, "PolicyDocument", "Statement").([]any) {
				if branch, ok := s.(map[string]any)["Fn::If"].([]any); ok {
					s = branch[1]
					if _, none := branch[1].(map[string]any)["Ref"]; none {
						s = branch[2]
					} else if at(t, branch[2], "Ref") != "AWS::NoValue" {
						t.Errorf("%s: an If of two statements", logical)
					}
				}
				for _, action := range at(t, s, "Action").([]any) {
					resource := at(t, s, "Resource")
					g.add(grant{action.(string), label(t, logical, asJSON(t, resource))})
				}
			}
		}
		out[strings.ToLower(strings.TrimSuffix(logical, "Role"))] = g
	}
	return out
}

func TestPoliciesHaveNoWildcard(t *testing.T) {
	for deployment, granted := range map[string]map[string]grants{
		"Terraform": terraformGrants(t), "SAM": samGrants(t, template(t, samFile)),
	} {
		if len(granted) != 5 {
			t.Errorf("%s has %d roles, want 5: %v", deployment, len(granted), slices.Sorted(maps.Keys(granted)))
		}
		for name, g := range granted {
			for one := range g {
				if strings.Contains(one.action, "*") {
					t.Errorf("%s: %s may %s", deployment, name, one)
				}
			}
			if len(g) == 0 {
				t.Errorf("%s: nothing was read of %s", deployment, name)
			}
		}
	}
}
