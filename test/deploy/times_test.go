package deploy

import (
	"strings"
	"testing"
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
	fifo                            bool
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
		"SAM":                 samTimes(t),
		"Serverless":          serverlessTimes(t, false),
		"Serverless, by FIFO": serverlessTimes(t, true),
		"Terraform":           terraformTimes(t),
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
	// A worker moves no message of a FIFO queue: it is received until the outage is over.
	if q.fifo && q.receives*q.visibility < maxOutage {
		t.Errorf("queue %s allows %d receives, each for %d s; an outage may last %d", name, q.receives, q.visibility, maxOutage)
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
		q.fifo, _ = p["FifoQueue"].(bool)
		if policy, ok := p["RedrivePolicy"]; ok {
			q.receives = number(at(t, policy, "maxReceiveCount"))
			q.dead, _, _ = strings.Cut(at(t, policy, "deadLetterTargetArn", "Fn::GetAtt").(string), ".")
		}
		out[name] = q
	}
	return out
}

func serverlessTimes(t *testing.T, fifo bool) times {
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
	d := times{stackQueues(t, decided(template(t, dir+"resources.yml"), fifo).(map[string]any), number), map[string]streamTimes{}}
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

// decided is a template in which the only condition holds, or does not.
func decided(v any, holds bool) any {
	switch v := v.(type) {
	case map[string]any:
		if choice, ok := v["Fn::If"].([]any); ok {
			if holds {
				return decided(choice[1], holds)
			}
			return decided(choice[2], holds)
		}
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = decided(member, holds)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = decided(v[i], holds)
		}
		return out
	}
	return v
}
