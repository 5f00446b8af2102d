package sumu

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxUnixSeconds bounds times of the wire, so that their milliseconds are exact
// in a float64. It is 34,000 years away.
const maxUnixSeconds = 1 << 40

// notificationJSON is the wire format, as it is written.
type notificationJSON struct {
	ID                 string          `json:"id,omitempty"`
	Users              []string        `json:"users,omitzero"` // kept when empty
	Channels           []string        `json:"channels,omitempty"`
	Connections        []ConnectionRef `json:"connections,omitempty"`
	Event              *Event          `json:"event,omitempty"`
	ExcludeUsers       []string        `json:"exclude_users,omitempty"`
	ExcludeConnections []string        `json:"exclude_connections,omitempty"`
	ExcludeChannels    []string        `json:"exclude_channels,omitempty"`
	From               string          `json:"from,omitempty"`
	Data               json.RawMessage `json:"data,omitempty"`
	Deadline           json.Number     `json:"deadline,omitempty"` // epoch seconds
	Part               string          `json:"part,omitempty"`
	Attempt            int             `json:"attempt,omitempty"`
	Since              int64           `json:"since,omitempty"` // epoch milliseconds
	Segment            *Segment        `json:"segment,omitempty"`
	After              string          `json:"after,omitempty"`
	Framed             bool            `json:"framed,omitempty"`
}

// MarshalJSON returns the wire format. ErrInvalid is returned for a
// notification that does not validate: one without targets would be read as
// one for everyone.
//
// Call it yourself rather than through [json.Marshal], which would rewrite
// Data: without its spaces, and with "<" as "\u003c", six times the size.
func (n Notification) MarshalJSON() ([]byte, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	w := notificationJSON{
		ID: n.ID, Users: n.Users, Channels: n.Channels, Connections: n.Connections, Event: n.Event,
		ExcludeUsers: n.ExcludeUsers, ExcludeConnections: n.ExcludeConnections,
		ExcludeChannels: n.ExcludeChannels, From: n.From,
		Part: n.Part, Attempt: n.Attempt, After: n.After, Framed: n.Framed,
	}
	if len(w.Users) == 0 {
		w.Users = nil
		if n.EmptyUsers() {
			w.Users = []string{}
		}
	}
	if !n.Deadline.IsZero() {
		w.Deadline = json.Number(strconv.FormatFloat(float64(n.Deadline.UnixMilli())/1000, 'f', 3, 64))
	}
	if !n.Since.IsZero() {
		w.Since = n.Since.UnixMilli()
	}
	if n.Segment != (Segment{}) {
		w.Segment = &n.Segment
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		return nil, err
	}
	text := buf.Bytes()[:buf.Len()-len("}\n")]
	if n.Data != nil { // As it is: clients receive exactly this text.
		if len(text) > len("{") {
			text = append(text, ',')
		}
		text = append(append(text, `"data":`...), n.Data...)
	}
	return append(text, '}'), nil
}

// ParseNotification reads a notification from its wire format; see
// [Notification.UnmarshalJSON].
func ParseNotification(data []byte) (Notification, error) {
	var n Notification
	if err := n.UnmarshalJSON(data); err != nil {
		return Notification{}, &Error{Op: "notification", Err: err}
	}
	return n, nil
}

// UnmarshalJSON reads the wire format and validates it: ErrInvalid is returned
// with what is wrong and where. Unknown members are ignored, but one that
// differs from a known one by case alone is refused: to ignore "Users" would
// send to everyone.
func (n *Notification) UnmarshalJSON(data []byte) error {
	members, err := object(data)
	if err != nil {
		return err
	}
	var w notificationJSON
	known := w.fields()
	for name, value := range members {
		if field, ok := known[name]; ok {
			if err := field.read(name, value); err != nil {
				return err
			}
			continue
		}
		for k := range known {
			if strings.EqualFold(k, name) {
				return invalid("unknown member %q; did you mean %q?", name, k)
			}
		}
	}
	return n.fromWire(&w, members)
}

func (n *Notification) fromWire(w *notificationJSON, members map[string]json.RawMessage) error {
	out := Notification{
		ID: w.ID, Users: w.Users, Channels: w.Channels, Connections: w.Connections, Event: w.Event,
		ExcludeUsers: w.ExcludeUsers, ExcludeConnections: w.ExcludeConnections, Data: w.Data,
		ExcludeChannels: w.ExcludeChannels, From: w.From,
		Part: w.Part, Attempt: w.Attempt, After: w.After, Framed: w.Framed,
	}
	// An empty remainder of a computed list must not reach everybody. Only an
	// empty list of users does, as in the original.
	for _, target := range []struct {
		name  string
		empty bool
	}{
		{"channels", len(w.Channels) == 0},
		{"connections", len(w.Connections) == 0},
		{"event", w.Event == nil},
	} {
		if _, given := members[target.name]; given && target.empty {
			return invalid("%s is empty; leave it out, or name at least one", target.name)
		}
	}
	out.Everyone = len(w.Users)+len(w.Channels)+len(w.Connections) == 0 && w.Event == nil
	_, given := members["users"]
	out.emptyUsers = given && out.Everyone
	if w.Segment != nil {
		out.Segment = *w.Segment
	}
	if w.Since != 0 {
		out.Since = time.UnixMilli(w.Since)
	}
	if w.Deadline != "" {
		s, err := w.Deadline.Float64()
		if err != nil || math.Abs(s) > maxUnixSeconds {
			return invalid("deadline is not a number of seconds since 1970")
		}
		out.Deadline = time.UnixMilli(int64(math.Round(s * 1000)))
	}
	if err := out.Validate(); err != nil {
		return err
	}
	*n = out
	return nil
}

// wireField says how a member of the wire format is read.
type wireField struct {
	into any
	want string // what it must be, for the error message
}

func (w *notificationJSON) fields() map[string]wireField {
	return map[string]wireField{
		"id":                  {&w.ID, "a string"},
		"users":               {&w.Users, "a list of strings"},
		"channels":            {&w.Channels, "a list of strings"},
		"connections":         {&w.Connections, "a list of objects with user_id and connection_id"},
		"event":               {&w.Event, "an object with type and payload"},
		"exclude_users":       {&w.ExcludeUsers, "a list of strings"},
		"exclude_connections": {&w.ExcludeConnections, "a list of strings"},
		"exclude_channels":    {&w.ExcludeChannels, "a list of strings"},
		"from":                {&w.From, "a string"},
		"data":                {&w.Data, "any JSON value"},
		"deadline":            {&w.Deadline, "a number of seconds since 1970"},
		"part":                {&w.Part, "a string"},
		"attempt":             {&w.Attempt, "a number"},
		"since":               {&w.Since, "a number of milliseconds since 1970"},
		"segment":             {&w.Segment, "an object with index and count"},
		"after":               {&w.After, "a string"},
		"framed":              {&w.Framed, "true or false"},
	}
}

func (f wireField) read(name string, value json.RawMessage) error {
	if raw, ok := f.into.(*json.RawMessage); ok {
		*raw = value
		return nil
	}
	if list, ok := f.into.(*[]string); ok {
		return readStrings(name, value, list)
	}
	if _, number := f.into.(*json.Number); number && value[0] == '"' {
		return invalid("%s is a string; it must be %s", name, f.want) // A json.Number takes "1" too.
	}
	if err := json.Unmarshal(value, f.into); err != nil {
		return invalid("%s is not %s", name, f.want)
	}
	return nil
}

// readStrings is strict where encoding/json is not: a null among the strings
// would be read as "".
func readStrings(name string, value json.RawMessage, list *[]string) error {
	var items []*string
	if err := json.Unmarshal(value, &items); err != nil {
		if value[0] != '[' {
			return invalid("%s is %s; it must be a list of strings", name, kindOf(value))
		}
		return invalid("%s holds something that is not a string", name)
	}
	out := make([]string, len(items))
	for i, s := range items {
		if s == nil {
			return invalid("%s[%d] is null; it must be a string", name, i)
		}
		out[i] = *s
	}
	*list = out
	return nil
}

func itoa(i int) string { return strconv.Itoa(i) }
