package outbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sumu-live/sumu"
)

// maxPart is how long the part of a notification may be.
const maxPart = 27

// Piece is a notification, or a part of one, that fits into one message.
type Piece struct {
	sumu.Notification
	Body []byte
}

// Split returns the notification as one piece, or with its users and
// connections spread over several of at most limit bytes each, which repeat
// all the rest. Its channels are in the first; the others leave out their
// members, so that nobody gets two. The same notification is always split in the same way, so that
// a piece that is sent again has the key that it had before.
//
// A notification without an ID gets one: without, the keys of all would be
// alike. ErrTooLarge is returned when what cannot be spread does not fit.
func Split(n sumu.Notification, limit int) ([]Piece, error) {
	if n.ID == "" {
		n.ID = sumu.NewID()
	}
	body, err := encode(&n)
	if err != nil {
		return nil, err
	}
	if len(body) <= limit {
		return []Piece{{n, body}}, nil
	}
	room, err := roomForTargets(n, limit)
	if err != nil {
		return nil, err
	}
	if room < 0 {
		return nil, tooLarge("the message has %d bytes; at most %d are allowed, and its targets do not make the difference",
			len(body), limit)
	}
	s := splitter{whole: n, room: room, sizer: newSizer()}
	s.addTargets()
	if s.err != nil {
		return nil, s.err
	}
	s.flush()
	return s.pieces, s.err
}

func encode(n *sumu.Notification) ([]byte, error) {
	// Not json.Marshal: it would rewrite Data.
	text, err := n.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return escape(text), nil
}

// roomForTargets is what a message has left for the elements of the lists of
// targets, with a comma each.
func roomForTargets(n sumu.Notification, limit int) (int, error) {
	// A shortest element in each list, so that it validates, and the longest part.
	n.ExcludeChannels = leftOut(&n)
	if len(n.Users) > 0 {
		n.Users = []string{"u"}
	}
	if len(n.Connections) > 0 {
		n.Connections = []sumu.ConnectionRef{{UserID: "u", ConnectionID: "c"}}
	}
	n.Part = strings.Repeat("a", maxPart)
	body, err := encode(&n)
	return limit - len(body), err
}

// splitter fills one piece after the other.
type splitter struct {
	whole  sumu.Notification
	room   int
	sizer  *sizer
	used   int
	next   sumu.Notification // its targets alone
	pieces []Piece
	err    error
}

func (s *splitter) addTargets() {
	n := &s.whole
	users := make(map[string]struct{}, len(n.Users))
	for i, u := range n.Users {
		if _, twice := users[u]; twice {
			continue
		}
		users[u] = struct{}{}
		s.fit("users", i, u)
		s.next.Users = append(s.next.Users, u)
	}
	if n.After != "" && len(n.Users) > 0 && len(n.Channels) == 0 {
		delete(users, n.Users[0]) // Only some of the connections are meant.
	}
	for i, ref := range n.Connections {
		// The user's piece and this one would both reach it: duplicates are only
		// recognized within one batch of a consumer.
		if _, covered := users[ref.UserID]; covered {
			continue
		}
		s.fit("connections", i, ref)
		s.next.Connections = append(s.next.Connections, ref)
	}
}

// fit begins a new piece when the element does not fit into this one.
func (s *splitter) fit(list string, i int, element any) {
	size := s.sizer.size(element) + len(",")
	if size > s.room && s.err == nil {
		s.err = tooLarge("%s[%d] and the data do not fit into one message", list, i)
	}
	if s.used+size > s.room && s.used > 0 {
		s.flush()
	}
	s.used += size
}

func (s *splitter) flush() {
	if s.err != nil {
		return
	}
	n := s.whole // All but the targets are shared: nobody changes them.
	n.Users, n.Connections = s.next.Users, s.next.Connections
	n.Part = chunkPart(n.Part, len(s.pieces))
	if len(s.pieces) > 0 {
		n.After = "" // It is of the first channel or user.
		n.ExcludeChannels, n.Channels = leftOut(&n), nil
	}
	s.next, s.used = sumu.Notification{}, 0
	body, err := encode(&n)
	if err != nil {
		s.err = err
		return
	}
	s.pieces = append(s.pieces, Piece{n, body})
}

// leftOut are the channels whose members all pieces but the first leave out.
func leftOut(n *sumu.Notification) []string {
	return append(n.ExcludeChannels[:len(n.ExcludeChannels):len(n.ExcludeChannels)], n.Channels...)
}

// chunkPart appends "p" and the number of the piece: pushers, which append "c",
// "r" and "s", make no such part. One that has grown long becomes its hash first,
// as theirs do.
func chunkPart(part string, i int) string {
	suffix := "p" + strconv.Itoa(i)
	if len(part)+len(suffix) > maxPart {
		sum := sha256.Sum256([]byte(part))
		part = "h" + hex.EncodeToString(sum[:8])
	}
	return part + suffix
}

// sizer tells how long values are within a message.
type sizer struct {
	text bytes.Buffer
	enc  *json.Encoder
}

func newSizer() *sizer {
	s := new(sizer)
	s.enc = json.NewEncoder(&s.text)
	s.enc.SetEscapeHTML(false)
	return s
}

func (s *sizer) size(v any) int {
	s.text.Reset()
	if err := s.enc.Encode(v); err != nil {
		return math.MaxInt32 // A string, or a struct of two, always encodes.
	}
	return len(escape(s.text.Bytes())) - len("\n")
}

func tooLarge(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrTooLarge}
}
