package sumu

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// maxUnixSeconds bounds times of the wire, so that their milliseconds are exact
// in a float64. It is 34,000 years away.
const maxUnixSeconds = 1 << 40

// notificationJSON is the wire format, as it is written.
type notificationJSON struct {
	ID                 string          `json:"id,omitempty"`
	Users              []string        `json:"users,omitempty"`
	Channels           []string        `json:"channels,omitempty"`
	Connections        []ConnectionRef `json:"connections,omitempty"`
	Everyone           bool            `json:"everyone,omitempty"`
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
		Everyone: n.Everyone && !n.implicit, ExcludeUsers: n.ExcludeUsers, ExcludeConnections: n.ExcludeConnections,
		ExcludeChannels: n.ExcludeChannels, From: n.From,
		Part: n.Part, Attempt: n.Attempt, After: n.After, Framed: n.Framed,
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
// with what is wrong and where.
//
// Members that are not known are ignored, so that other programs can add their
// own, but for those to ignore which would reach somebody who is not meant, or
// miss somebody who is:
//
//   - in a request that names nobody, and so is for everyone: any
//   - what looks like an exclusion: "…exclud…", "except…", "omit…", "without…"
//   - what looks like a target or an exclusion misspelt, unless the right one is
//     there too: in another case, with spaces, "-" or "_" more or fewer, or a
//     letter (of the longer ones two) that is wrong: "user", "chanels"
//   - any known member in another case, or with spaces, "-" or "_" more or fewer
//
// A name that comes twice, and one or a string that names somebody with half of
// a surrogate pair in it, is refused as well.
func (n *Notification) UnmarshalJSON(data []byte) error {
	members, err := object(data)
	if err != nil {
		return err
	}
	var w notificationJSON
	known := w.fields()
	var unknown []string
	for _, m := range members {
		if field, ok := known[m.Name]; !ok {
			unknown = append(unknown, m.Name)
		} else if err := field.read(m.Name, m.Value); err != nil {
			return err
		}
	}
	if err := w.checkUnknown(unknown, known, members); err != nil {
		return err
	}
	return n.fromWire(&w, members)
}

// audience are the members that say who receives a notification.
var audience = []string{
	"users", "channels", "connections", "everyone", "event",
	"exclude_users", "exclude_connections", "exclude_channels",
}

// exclusions are how names begin, folded, that ask for somebody to be left out.
var exclusions = []string{"except", "omit", "without"}

// excludes reports whether a name, folded, does. What excludes says so wherever
// in the name: "userexclude".
func excludes(name string) bool {
	return strings.Contains(name, "exclu") ||
		slices.ContainsFunc(exclusions, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// checkUnknown returns ErrInvalid for a member that must not be ignored.
func (w *notificationJSON) checkUnknown(unknown []string, known map[string]wireField, members strictjson.Object) error {
	if len(unknown) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(known))
	given := make(map[string]bool, len(audience)) // There may be as many members as fit: each is looked at once.
	for _, name := range audience {
		given[name] = members.Get(name) != nil
	}
	for _, name := range unknown {
		near := sameFolded(name, names)
		// Beside "users" somebody knows how it is spelt: "user" is something else.
		if likely := nearest(name, audience...); near == "" && (!given[likely] || w.named() == 0) {
			near = likely
		}
		if near != "" || w.named() == 0 || excludes(fold(name)) {
			return unknownMember(name, near)
		}
	}
	return nil
}

// named is how many targets there are.
func (w *notificationJSON) named() int {
	n := len(w.Users) + len(w.Channels) + len(w.Connections)
	if w.Event != nil || w.Everyone {
		n++
	}
	return n
}

func (n *Notification) fromWire(w *notificationJSON, members strictjson.Object) error {
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
		if target.empty && members.Get(target.name) != nil {
			return invalid("%s is empty; leave it out, or name at least one", target.name)
		}
	}
	said := members.Get("everyone")
	out.implicit = w.named() == 0 && (said == nil || said[0] == 'n')
	out.Everyone = w.Everyone || out.implicit
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
