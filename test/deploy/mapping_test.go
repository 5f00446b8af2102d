package deploy

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

const topicARN = "arn:aws:sns:us-east-1:123456789012:demo-messages"

// hostile is what a template that pastes text would break on.
var hostile = []string{
	"plain", `"`, `\`, `\"`, `'`, `\'`, `\\'`, "\n", "\r\n\t", "$", "$context.connectionId", "${x}", "#set($a = 1)", "#end", "##",
	"&Action=DeleteQueue", "%26", "a=b&c=d;e", "+ +", "/", "</script>", "ä", "🦄", "\u2028\u2029", "\x01\x1f\x7f", "{}", `{"S":"x"}`, "\u00a0",
}

func context(user, connection string) map[string]any {
	return map[string]any{
		"connectionId": connection, "routeKey": "publish",
		// The engine's division is not that of integers, as Velocity's is.
		"requestTimeEpoch": 1575929040000, "connectedAt": 1575929000123,
		"authorizer": map[string]any{"principalId": user, "expires_at": "1575932640"},
	}
}

func TestBackendTemplates(t *testing.T) {
	e := newEngine(t)
	// 128 KB in one message: escaped, it is several times as long.
	big := strings.Repeat(`"\'$ä🦄&`, 128*1024/len(`"\'$ä🦄&`))
	for _, text := range append([]string{big}, hostile...) {
		for _, message := range []any{text, map[string]any{text: []any{text, 1.5, nil, true}}} {
			checkBackend(t, e, text[:min(len(text), 200)], "c"+text[:min(len(text), 100)], message)
		}
	}
	for _, message := range []any{nil, "", false, 0.0, []any{}, map[string]any{}, 9007199254740991.0} {
		checkBackend(t, e, "u1", "L0SM9cOFvHcCIhw=", message)
	}
}

// checkBackend renders publish and send, and finds in the form's fields exactly
// what was put in.
func checkBackend(t testing.TB, e *engine, user, connection string, message any) {
	t.Helper()
	user, connection = strings.ToValidUTF8(user, ""), strings.ToValidUTF8(connection, "")
	body, err := json.Marshal(map[string]any{"action": "publish", "ref": "7", "message": message})
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range []struct {
		template, text, prefix string
		fixed                  map[string]string
	}{
		{mapping(t, "publish", "${topic_arn}", topicARN), "Message", "MessageAttributes.entry.", map[string]string{
			"Action": "Publish", "Version": "2010-03-31", "TopicArn": topicARN,
		}},
		{mapping(t, "send"), "MessageBody", "MessageAttribute.", map[string]string{
			"Action": "SendMessage", "Version": "2012-11-05",
		}},
	} {
		rendered := e.render(t, rendering{Template: route.template, Body: string(body), Context: context(user, connection)})
		form, err := url.ParseQuery(rendered)
		if err != nil {
			t.Fatalf("not a form: %v", err)
		}
		want := map[string]string{}
		for k, v := range route.fixed {
			want[k] = v
		}
		source := map[string]string{"Message": "apigw.route.publish", "MessageBody": "apigw.route.send"}[route.text]
		for i, a := range [][3]string{
			{"user_id", "String", user},
			{"connection_id", "String", connection},
			{"timestamp", "Number", "1575929040000"},
			{"source", "String", source},
		} {
			at := route.prefix + string(rune('1'+i))
			want[at+".Name"], want[at+".Value.DataType"], want[at+".Value.StringValue"] = a[0], a[1], a[2]
		}
		var got any
		if err := json.Unmarshal([]byte(form.Get(route.text)), &got); err != nil {
			t.Fatalf("%s is not JSON: %v: %.200q", route.text, err, form.Get(route.text))
		}
		if !reflect.DeepEqual(got, normal(t, message)) {
			t.Errorf("%s is %.200v, want %.200v", route.text, got, message)
		}
		delete(form, route.text)
		if len(form) != len(want) {
			t.Errorf("%d fields, want %d: %v", len(form), len(want), form)
		}
		for k, v := range want {
			if len(form[k]) != 1 || form[k][0] != v {
				t.Errorf("%s is %q, want %q", k, form[k], v)
			}
		}
	}
}

// normal is a value as encoding/json reads it back.
func normal(t testing.TB, v any) (out any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A frame without a message makes a call that SNS and SQS refuse, which the
// client is told; an empty message would reach the backend.
func TestMissingMessage(t *testing.T) {
	e := newEngine(t)
	for name, field := range map[string]string{"publish": "Message", "send": "MessageBody"} {
		rendered := e.render(t, rendering{Template: mapping(t, name), Body: `{"action":"` + name + `"}`, Context: context("u1", "c1=")})
		form, err := url.ParseQuery(rendered)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := form[field]; ok || form.Get("Action") == "" {
			t.Errorf("%s: %v", name, form)
		}
	}
}

func TestConnectTemplates(t *testing.T) {
	e := newEngine(t)
	for _, text := range hostile {
		checkConnect(t, e, text, "c"+text)
	}
	checkConnect(t, e, strings.Repeat("é'\"", 400), "L0SM9cOFvHcCIhw=")
}

func checkConnect(t testing.TB, e *engine, user, connection string) {
	t.Helper()
	values := []string{"${connections_table}", "demo-connections", "${endpoint}", "https://live.example.com/push"}
	key := map[string]any{"user_id": map[string]any{"S": user}, "connection_id": map[string]any{"S": connection}}

	var put map[string]any
	rendered := e.render(t, rendering{Template: mapping(t, "connect", values...), Body: "{}", Context: context(user, connection)})
	if err := json.Unmarshal([]byte(rendered), &put); err != nil {
		t.Fatalf("connect is not JSON: %v: %s", err, rendered)
	}
	want := map[string]any{
		"TableName": "demo-connections",
		"Item": map[string]any{
			"user_id": key["user_id"], "connection_id": key["connection_id"],
			"connected_at": map[string]any{"N": "1575929000123"},
			"expires_at":   map[string]any{"N": "1575932640"},
			"endpoint":     map[string]any{"S": "https://live.example.com/push"},
			"delete_at":    map[string]any{"N": "1575936840"}, // 2 h 10 min later
		},
	}
	if !reflect.DeepEqual(put, want) {
		t.Errorf("connect is %v\nwant %v", put, want)
	}

	var remove map[string]any
	rendered = e.render(t, rendering{Template: mapping(t, "disconnect", values...), Body: "{}", Context: context(user, connection)})
	if err := json.Unmarshal([]byte(rendered), &remove); err != nil {
		t.Fatalf("disconnect is not JSON: %v: %s", err, rendered)
	}
	if !reflect.DeepEqual(remove, map[string]any{"TableName": "demo-connections", "Key": key}) {
		t.Errorf("disconnect is %v", remove)
	}
}

// A token without exp leaves no expires_at: an empty Number is refused.
func TestConnectWithoutExpiry(t *testing.T) {
	e := newEngine(t)
	for _, authorizer := range []map[string]any{{"principalId": "u1"}, {"principalId": "u1", "expires_at": ""}} {
		ctx := context("u1", "c1=")
		ctx["authorizer"] = authorizer
		rendered := e.render(t, rendering{Template: mapping(t, "connect"), Body: "{}", Context: ctx})
		var put struct{ Item map[string]any }
		if err := json.Unmarshal([]byte(rendered), &put); err != nil {
			t.Fatalf("%v: %s", err, rendered)
		}
		if _, ok := put.Item["expires_at"]; ok || len(put.Item) != 5 {
			t.Errorf("the row is %v", put.Item)
		}
	}
}

// What goes back to clients, byte by byte as contracts have it.
func TestAnswers(t *testing.T) {
	e := newEngine(t)
	for _, test := range []struct{ name, template, body, want string }{
		{"pong", mapping(t, "pong"), `{}`, `{"type":"pong","statusCode":200,"connectionId":"c1="}`},
		{"ping", mapping(t, "ping"), `{}`, `{"statusCode":200}`},
		{
			"publish", mapping(t, "publish_ack"), `{"PublishResponse":{"PublishResult":{"MessageId":"94f20ce6","SequenceNumber":null},"ResponseMetadata":{"RequestId":"f187"}}}`,
			`{"type":"ack","action":"publish","id":"94f20ce6"}`,
		},
		{
			"send", mapping(t, "send_ack"), `{"SendMessageResponse":{"ResponseMetadata":{"RequestId":"a"},"SendMessageResult":{"MD5OfMessageBody":"x","MessageId":"94f20ce7"}}}`,
			`{"type":"ack","action":"send","id":"94f20ce7"}`,
		},
		{
			"missing", mapping(t, "error", "${action}", "send"), `{"Error":{"Code":"MissingParameter","Message":"The request must contain the parameter MessageBody.","Type":"Sender"},"RequestId":"x"}`,
			`{"type":"error","action":"send","code":"bad_request","message":"message is missing; give any JSON value"}`,
		},
		{
			"characters", mapping(t, "error", "${action}", "send"), `{"Error":{"Code":"InvalidMessageContents","Message":"x"}}`,
			`{"type":"error","action":"send","code":"bad_request","message":"message holds characters that the backend does not take"}`,
		},
		{
			"throttled", mapping(t, "error", "${action}", "publish"), `{"Error":{"Code":"Throttling","Message":"Rate exceeded"}}`,
			`{"type":"error","action":"publish","code":"rate_limited","message":"too many messages; try again later"}`,
		},
		{
			"fault", mapping(t, "error", "${action}", "publish"), `{"Error":{"Code":"AuthorizationError","Message":"User: arn:aws:sts::1:x is not authorized"}}`,
			`{"type":"error","action":"publish","code":"unavailable","message":"try again later"}`,
		},
		{
			"other", mapping(t, "error", "${action}", "publish"), `{"message":"Internal server error"}`,
			`{"type":"error","action":"publish","code":"unavailable","message":"try again later"}`,
		},
	} {
		got := e.render(t, rendering{Template: test.template, Body: test.body, Context: context("u1", "c1=")})
		if got != test.want {
			t.Errorf("%s: %s\nwant %s", test.name, got, test.want)
		}
	}
}

func FuzzMapping(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, "c"+text, text)
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, user, connection, message string) {
		if !utf8.ValidString(user) || !utf8.ValidString(connection) || !utf8.ValidString(message) {
			t.Skip("API Gateway takes text only")
		}
		checkBackend(t, e, user, connection, map[string]any{"text": message})
		checkConnect(t, e, user, connection)
	})
}
