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

// In seconds. Those of the library are defaults that no function here changes.
const (
	leaseMargin = 5          // of a pusher.Worker: how long its lease outlasts the call
	maxOutage   = 96 * 3600  // of a pusher
	keptRecords = 720 * 3600 // of a pusher.Worker: Keep
	sqsKeeps    = 345_600    // a queue that does not say for how long (read 2026-11)
	day         = 24 * 3600
)

// queueTimes is what decides how long a message may wait, and how often it may
// be tried.
type queueTimes struct {
	visibility, retention, receives int
	dead                            string // the queue of dead letters; "": it is one
	timeout                         int    // of the function that it triggers; 0: none here
}

// streamTimes is for how long a record of a stream is tried.
type streamTimes struct {
	retries, age     int // -1: for as long as the stream keeps it
	failures, report bool
}

type times struct {
	queues  map[string]*queueTimes
	streams map[string]streamTimes
}

// An outage of the store spends time. What bounds it fits together, in each of
// the deployments.
func TestTimesFitTogether(t *testing.T) {
	for name, d := range map[string]times{
		"SAM":        samTimes(t),
		"Serverless": serverlessTimes(t),
		"Terraform":  terraformTimes(t),
	} {
		t.Run(name, func(t *testing.T) {
			triggers := 0
			for name, q := range d.queues {
				checkQueue(t, d, name, q)
				if q.timeout > 0 {
					triggers++
				}
			}
			if triggers == 0 || len(d.streams) == 0 {
				t.Errorf("%d queues and %d streams trigger something; one of each does", triggers, len(d.streams))
			}
			for name, s := range d.streams {
				if s.retries != -1 || s.age != -1 {
					t.Errorf("stream %s: %d retries, for %d s; an outage spends them: want -1, until the record expires", name, s.retries, s.age)
				}
				if !s.failures || !s.report {
					t.Errorf("stream %s: a destination for failures: %v, reports which records failed: %v", name, s.failures, s.report)
				}
			}
		})
	}
}

func checkQueue(t *testing.T, d times, name string, q *queueTimes) {
	t.Helper()
	if q.dead == "" {
		if q.retention != 14*day {
			t.Errorf("queue %s has no dead-letter queue, and keeps messages for %d s; want the 14 days of one", name, q.retention)
		}
		return
	}
	dead := d.queues[q.dead]
	if dead == nil {
		t.Fatalf("queue %s: its dead-letter queue %q is not there", name, q.dead)
	}
	if q.receives < 5 {
		t.Errorf("queue %s allows %d receives; from the third on a worker moves what an outage keeps", name, q.receives)
	}
	// A message that SQS moves keeps the time at which it was sent.
	if dead.retention <= q.retention {
		t.Errorf("queue %s keeps messages for %d s, its dead-letter queue for %d", name, q.retention, dead.retention)
	}
	if q.retention+dead.retention > keptRecords {
		t.Errorf("queue %s: a message may live for %d s, its record for %d", name, q.retention+dead.retention, keptRecords)
	}
	if q.retention < maxOutage {
		t.Errorf("queue %s keeps messages for %d s; a pusher tries for %d", name, q.retention, maxOutage)
	}
	if q.timeout == 0 {
		return
	}
	if lease := q.timeout + min(leaseMargin, q.timeout); lease > q.visibility {
		t.Errorf("queue %s hides messages for %d s; they are leased for %d", name, q.visibility, lease)
	}
	if q.visibility != 6*q.timeout {
		t.Errorf("queue %s hides messages for %d s; want 6 times the function's %d", name, q.visibility, q.timeout)
	}
}

func samTimes(t *testing.T) times {
	t.Helper()
	doc := template(t, samFile)
	number := func(v any) int {
		if m, ok := v.(map[string]any); ok {
			path := m["Fn::FindInMap"].([]any)
			v = at(t, doc, "Mappings", path[0], path[1], path[2])
		}
		return atoi(t, v)
	}
	d := times{stackQueues(t, doc, number), map[string]streamTimes{}}
	resources := doc["Resources"].(map[string]any)
	for name, r := range resources {
		if at(t, r, "Type") != "AWS::Lambda::EventSourceMapping" {
			continue
		}
		p := at(t, r, "Properties").(map[string]any)
		source, _, _ := strings.Cut(at(t, p, "EventSourceArn", "Fn::GetAtt").(string), ".")
		if q := d.queues[source]; q != nil {
			q.timeout = number(at(t, resources, at(t, p, "FunctionName", "Ref"), "Properties", "Timeout"))
			continue
		}
		_, failures := p["DestinationConfig"]
		_, report := p["FunctionResponseTypes"]
		d.streams[name] = streamTimes{number(p["MaximumRetryAttempts"]), number(p["MaximumRecordAgeInSeconds"]), failures, report}
	}
	return d
}

// stackQueues are the queues of a CloudFormation template.
func stackQueues(t *testing.T, doc map[string]any, number func(any) int) map[string]*queueTimes {
	t.Helper()
	out := map[string]*queueTimes{}
	for name, r := range doc["Resources"].(map[string]any) {
		if at(t, r, "Type") != "AWS::SQS::Queue" {
			continue
		}
		p := at(t, r, "Properties").(map[string]any)
		q := &queueTimes{visibility: 30, retention: sqsKeeps}
		if v, ok := p["VisibilityTimeout"]; ok {
			q.visibility = number(v)
		}
		if v, ok := p["MessageRetentionPeriod"]; ok {
			q.retention = number(v)
		}
		if policy, ok := p["RedrivePolicy"]; ok {
			q.receives = number(at(t, policy, "maxReceiveCount"))
			q.dead, _, _ = strings.Cut(at(t, policy, "deadLetterTargetArn", "Fn::GetAtt").(string), ".")
		}
		out[name] = q
	}
	return out
}

func serverlessTimes(t *testing.T) times {
	t.Helper()
	const dir = root + "/examples/serverless-framework/"
	service := template(t, dir+"serverless.yml")
	number := func(v any) int {
		if name, ok := strings.CutPrefix(v.(string), "${self:"); ok {
			var path []any
			for part := range strings.SplitSeq(strings.TrimSuffix(name, "}"), ".") {
				path = append(path, part)
			}
			v = at(t, service, path...)
		}
		return atoi(t, v)
	}
	d := times{stackQueues(t, template(t, dir+"resources.yml"), number), map[string]streamTimes{}}
	for name, f := range service["functions"].(map[string]any) {
		list, _ := f.(map[string]any)["events"].([]any)
		for _, one := range list {
			e := one.(map[string]any)
			if sqs, ok := e["sqs"]; ok {
				queue, _, _ := strings.Cut(at(t, sqs, "arn", "Fn::GetAtt").(string), ".")
				d.queues[queue].timeout = number(at(t, f, "timeout"))
			}
			if s, ok := e["stream"].(map[string]any); ok {
				_, failures := s["destinations"]
				age := -1 // Lambda's default, as that of the retries is.
				if v, ok := s["maximumRecordAgeInSeconds"]; ok {
					age = number(v)
				}
				retries := -1
				if v, ok := s["maximumRetryAttempts"]; ok {
					retries = number(v)
				}
				d.streams[name] = streamTimes{retries, age, failures, s["functionResponseType"] == "ReportBatchItemFailures"}
			}
		}
	}
	return d
}

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
