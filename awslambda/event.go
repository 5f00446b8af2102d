package awslambda

import (
	"encoding/json"
	"strings"
)

// Kind is what sent an event.
type Kind string

// The kinds of events that are told apart.
const (
	KindAuthorizer Kind = "authorizer" // API Gateway's REQUEST authorizer
	KindWebSocket  Kind = "websocket"  // a route of an API Gateway WebSocket API
	KindSQS        Kind = "sqs"
	KindSNS        Kind = "sns"
	KindKinesis    Kind = "kinesis"
	KindDynamoDB   Kind = "dynamodb" // a DynamoDB stream
	KindSchedule   Kind = "schedule" // EventBridge rules and schedules
	KindHTTP       Kind = "http"     // a function URL, or an HTTP API with the payload format 2.0
	KindIoT        Kind = "iot"      // a lifecycle event of AWS IoT Core, of any type, from a rule
)

// event is an event of which the kind is known, and nothing else yet: one
// broken record must not cost the others.
type event struct {
	kind    Kind
	arn     string // of the queue, topic or stream that all records are from
	records []json.RawMessage
	payload []byte
}

// recordHead is what all records of event sources have. SNS spells it its own way.
type recordHead struct {
	Source    string `json:"eventSource"`
	SourceARN string `json:"eventSourceARN"`
	SNS       struct {
		TopicARN string `json:"TopicArn"`
	} `json:"Sns"`
}

var recordKinds = map[string]Kind{
	"aws:sqs":      KindSQS,
	"aws:sns":      KindSNS,
	"aws:kinesis":  KindKinesis,
	"aws:dynamodb": KindDynamoDB,
}

// lifecycleTypes are those of AWS IoT Core's events (read 2026-12). Not all are
// about connections; what applies them tells.
var lifecycleTypes = map[string]bool{
	"connected": true, "disconnected": true, "connect_failed": true, "subscribed": true, "unsubscribed": true,
}

// open finds out what an event is by the members that its kind always has. It
// is strict: an event that is taken for another would be answered wrongly, and
// Lambda takes most answers for success.
func open(payload []byte) (*event, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil || members == nil {
		return nil, invalid("event is not a JSON object") // err may repeat a part of it.
	}
	e := &event{payload: payload}
	if raw, ok := members["Records"]; ok {
		return e, e.openRecords(raw)
	}
	var head struct {
		Type       string `json:"type"`
		MethodARN  string `json:"methodArn"`
		DetailType string `json:"detail-type"`
		Source     string `json:"source"`
		Version    string `json:"version"`
		ClientID   string `json:"clientId"`
		EventType  string `json:"eventType"`
		Context    struct {
			ConnectionID string `json:"connectionId"`
			EventType    string `json:"eventType"`
			HTTP         struct {
				Method string `json:"method"`
			} `json:"http"`
		} `json:"requestContext"`
	}
	for name, into := range map[string]any{
		"type": &head.Type, "methodArn": &head.MethodARN, "requestContext": &head.Context,
		"detail-type": &head.DetailType, "source": &head.Source,
		"version": &head.Version, "clientId": &head.ClientID, "eventType": &head.EventType,
	} {
		if raw, ok := members[name]; ok && json.Unmarshal(raw, into) != nil {
			return nil, invalid("event has a %s of another shape than any known kind", name)
		}
	}
	switch {
	case head.Type == "REQUEST" && head.MethodARN != "" && head.Context.ConnectionID != "":
		e.kind = KindAuthorizer
	case head.Type != "" || head.MethodARN != "": // TOKEN authorizers, those of other APIs, and others.
		return nil, invalid("event is of no known kind: an authorizer is of type REQUEST and has a methodArn and a connection")
	case head.Context.ConnectionID != "":
		switch head.Context.EventType {
		case eventConnect, eventMessage, eventDisconnect:
			e.kind = KindWebSocket
		default:
			return nil, invalid("event of a WebSocket API is neither CONNECT, MESSAGE nor DISCONNECT")
		}
	case head.Version == "2.0" && head.Context.HTTP.Method != "":
		e.kind = KindHTTP
	case head.ClientID != "" && lifecycleTypes[head.EventType]:
		e.kind = KindIoT
	case head.DetailType == "Scheduled Event" && (head.Source == "aws.events" || head.Source == "aws.scheduler"):
		e.kind = KindSchedule
	default:
		return nil, invalid("event is of no known kind: no Records, no requestContext of a connection or of a request, no schedule, no lifecycle")
	}
	return e, nil
}

func (e *event) openRecords(raw json.RawMessage) error {
	if err := json.Unmarshal(raw, &e.records); err != nil || len(e.records) == 0 {
		return invalid("event has no list of Records, or an empty one")
	}
	for i, r := range e.records {
		var head recordHead
		_ = json.Unmarshal(r, &head) // What is not there decides, whatever else is wrong.
		kind, known := recordKinds[head.Source]
		arn := head.SourceARN
		if kind == KindSNS {
			arn = head.SNS.TopicARN
		}
		switch {
		case !known:
			return invalid("Records[%d] is not from SQS, SNS, Kinesis or a DynamoDB stream", i)
		case i == 0:
			e.kind, e.arn = kind, arn
		case kind != e.kind || arn != e.arn:
			return invalid("Records[%d] is from another source than the first", i)
		}
	}
	return nil
}

// only returns ErrInvalid unless the event is of one of the kinds.
func (e *event) only(what string, kinds ...Kind) error {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		if e.kind == k {
			return nil
		}
		names[i] = string(k)
	}
	return invalid("%s got an event of the kind %s; it serves %s", what, e.kind, strings.Join(names, ", "))
}

// resource is the name in an ARN: of the queue, topic, stream or table.
func resource(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	name := parts[5]
	for _, prefix := range []string{"stream/", "table/"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name, _, _ = strings.Cut(rest, "/") // table/NAME/stream/TIME
			break
		}
	}
	return name
}
