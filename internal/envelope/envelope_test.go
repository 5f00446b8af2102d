package envelope_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/envelope"
)

// delivered is an envelope as SNS sends it to a queue.
const delivered = `{
  "Type" : "Notification",
  "MessageId" : "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Subject" : "Testing publish to subscribed queues",
  "Message" : "{\"users\":[\"ann\"],\"data\":1}",
  "Timestamp" : "2012-03-29T05:12:16.901Z",
  "SignatureVersion" : "1",
  "Signature" : "EXAMPLEnTrFPa3",
  "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
  "UnsubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
  "MessageAttributes" : {
    "user_id" : {"Type":"String","Value":"ann"},
    "timestamp" : {"Type":"Number","Value":"1575929040000"},
    "blob" : {"Type":"Binary","Value":"AAEC"}
  }
}`

func TestUnwrap(t *testing.T) {
	for name, body := range map[string]string{
		"as delivered":     delivered,
		"Lambda's names":   strings.NewReplacer("SigningCertURL", "SigningCertUrl", "UnsubscribeURL", "UnsubscribeUrl").Replace(delivered),
		"without the rest": `{"Type":"Notification","MessageId":"63a3f6b6-d533-4a47-aef9-fcf5cf758c76","TopicArn":"arn:aws:sns:us-west-2:123456789012:MyTopic","Timestamp":"2012-03-29T05:12:16.901Z","Message":"{\"users\":[\"ann\"],\"data\":1}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := envelope.Unwrap(body)
			if !ok {
				t.Fatal("it is not taken for an envelope")
			}
			if e.Message != `{"users":["ann"],"data":1}` || e.MessageID != "63a3f6b6-d533-4a47-aef9-fcf5cf758c76" ||
				e.TopicARN != "arn:aws:sns:us-west-2:123456789012:MyTopic" ||
				!e.Timestamp.Equal(time.Date(2012, 3, 29, 5, 12, 16, 901e6, time.UTC)) {
				t.Errorf("got %+v", e)
			}
			if name == "without the rest" {
				return
			}
			if want := map[string]string{"user_id": "ann", "timestamp": "1575929040000"}; !maps.Equal(e.Attributes, want) {
				t.Errorf("attributes: got %v, want %v", e.Attributes, want)
			}
			if e.Subject != "Testing publish to subscribed queues" {
				t.Errorf("subject: got %q", e.Subject)
			}
		})
	}
}

func TestUnwrapOnce(t *testing.T) {
	inner, err := json.Marshal(delivered)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := envelope.Unwrap(strings.Replace(delivered, `"{\"users\":[\"ann\"],\"data\":1}"`, string(inner), 1))
	if !ok || e.Message != delivered {
		t.Errorf("got %v, message %q", ok, e.Message)
	}
}

func TestUnwrapEmptyMessage(t *testing.T) {
	e, ok := envelope.Unwrap(`{"Type":"Notification","MessageId":"i","TopicArn":"t","Timestamp":"now","Message":""}`)
	if !ok || e.Message != "" || !e.Timestamp.IsZero() {
		t.Errorf("got %+v, %v", e, ok)
	}
}

// What lacks anything of an envelope is a body of its own.
func TestRawBodies(t *testing.T) {
	const ok = `{"Type":"Notification","MessageId":"i","TopicArn":"t","Timestamp":"now","Message":"m"}`
	if _, is := envelope.Unwrap(ok); !is {
		t.Fatal("the sound one is refused")
	}
	without := func(member string) string {
		if !strings.Contains(ok, member) {
			t.Fatalf("%s is not in the sound one", member)
		}
		return strings.Replace(strings.Replace(ok, member+",", "", 1), ","+member, "", 1)
	}
	for name, body := range map[string]string{
		"no Type":           without(`"Type":"Notification"`),
		"no MessageId":      without(`"MessageId":"i"`),
		"no TopicArn":       without(`"TopicArn":"t"`),
		"no Timestamp":      without(`"Timestamp":"now"`),
		"no Message":        without(`"Message":"m"`),
		"confirmation":      strings.Replace(ok, "Notification", "SubscriptionConfirmation", 1),
		"message an object": strings.Replace(ok, `"m"`, `{"users":["ann"]}`, 1),
		"message null":      strings.Replace(ok, `"m"`, `null`, 1),
		"topic a number":    strings.Replace(ok, `"t"`, `1`, 1),
		"topic empty":       strings.Replace(ok, `"t"`, `""`, 1),
		"other case":        strings.Replace(ok, `"Message"`, `"message"`, 1),
		"message twice":     strings.Replace(ok, `}`, `,"Message":"n"}`, 1),
		"text after it":     ok + `{}`,
		"cut off":           ok[:len(ok)-1],
		"in a list":         `[` + ok + `]`,
		"in a notification": `{"users":["ann"],"data":` + ok + `}`,
		"text":              `"TopicArn"`,
		"empty":             ``,
		"cut off in a name": `{"TopicArn":1,"Mess`,
		"cut off in a list": `{"TopicArn":[1`,
		"a name a number":   `{"TopicArn":1,2:3}`,
	} {
		t.Run(name, func(t *testing.T) {
			if e, is := envelope.Unwrap(body); is {
				t.Errorf("it is taken for an envelope of %q", e.Message)
			}
		})
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(delivered)
	f.Add(`{"users":["ann"],"data":{"TopicArn":"t"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		e, ok := envelope.Unwrap(body)
		if !ok {
			if e.Message != "" || e.TopicARN != "" || e.Attributes != nil {
				t.Fatalf("something of a raw body is returned: %+v", e)
			}
			return
		}
		if !json.Valid([]byte(body)) || e.MessageID == "" || e.TopicARN == "" {
			t.Fatalf("taken for an envelope: %q", body)
		}
		// What it says must be what any other reader finds there.
		var exact map[string]any
		if err := json.Unmarshal([]byte(body), &exact); err != nil {
			t.Fatal(err)
		}
		if exact["Type"] != "Notification" || exact["Message"] != e.Message || exact["MessageId"] != e.MessageID || exact["TopicArn"] != e.TopicARN {
			t.Fatalf("got %+v, but the body says %v", e, exact)
		}
	})
}
