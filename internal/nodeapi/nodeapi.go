// Package nodeapi is what one process of this module asks of a gateway node
// beyond what API Gateway offers: a batch of posts in one request. Both sides
// take their types and limits from here.
//
//	POST {endpoint}/@connections
//	{"posts":[{"connections":["L0SM9cOFvHcCIhw="],"data":"{\"hello\":1}"}]}
//
//	200 {"gone":["L0SM9cOFvHcCIhw="],"throttled":[]}
//
// What the answer does not name was queued. A connection comes once in a batch:
// otherwise the answer could not tell which of its posts was throttled.
package nodeapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/strictjson"
)

const (
	// MaxBody is the longest body of a batch, in bytes.
	MaxBody = 1 << 20
	// MaxConnections is how many connections a batch may name.
	MaxConnections = 10_000
)

// Batch is the body of a request.
type Batch struct {
	Posts []Post `json:"posts"`
}

// Post is one message, for several connections.
type Post struct {
	Connections []string `json:"connections"`
	// Data is the message, at most [sumu.MaxPayload] bytes.
	Data string `json:"data"`
}

// Result is the body of a 200. Neither list is null.
type Result struct {
	Gone      []string `json:"gone"`      // as a 410 for each
	Throttled []string `json:"throttled"` // as a 429 for each
}

// Decode reads a batch strictly. ErrInvalid, whose text is for the caller, is
// returned for anything but the shape above: members that are unknown, missing
// or come twice, lists that are empty, ids that are empty or too long or come
// twice; ErrTooLarge for data over its limit.
func Decode(body []byte) (Batch, error) {
	if len(body) > MaxBody {
		return Batch{}, tooLarge("the body has more than %d bytes", MaxBody)
	}
	if !utf8.Valid(body) { // It would be replaced without a word.
		return Batch{}, invalid("the body is not valid UTF-8")
	}
	d := decoder{Decoder: json.NewDecoder(bytes.NewReader(body)), seen: make(map[string]struct{})}
	var b Batch
	err := d.object("the body", []string{"posts"}, func(string) error {
		return d.list("posts", func(i int) error {
			p, err := d.post(i)
			b.Posts = append(b.Posts, p)
			return err
		})
	})
	if err != nil {
		return Batch{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Batch{}, invalid("there is something behind the body's object")
	}
	if strictjson.HalfSurrogate(body) { // It was replaced as well.
		return Batch{}, invalid("a string holds half of a surrogate pair")
	}
	return b, nil
}

// decoder reads token by token where encoding/json would be lenient: it takes
// names in any case, the last of several members, and null for anything.
type decoder struct {
	*json.Decoder
	seen map[string]struct{} // the connections so far
}

func (d *decoder) post(i int) (Post, error) {
	var p Post
	what := fmt.Sprintf("posts[%d]", i)
	err := d.object(what, []string{"connections", "data"}, func(name string) error {
		if name == "data" {
			var err error
			if p.Data, err = d.text(what + ".data"); err != nil {
				return err
			}
			if len(p.Data) > sumu.MaxPayload {
				return tooLarge("%s.data has %d bytes; at most %d are allowed", what, len(p.Data), sumu.MaxPayload)
			}
			return nil
		}
		var err error
		p.Connections, err = d.connections(what + ".connections")
		return err
	})
	return p, err
}

// connections are most of a batch: they are not read token by token. What is
// lenient in that, null for "", comes out as empty.
func (d *decoder) connections(what string) ([]string, error) {
	var ids []string
	if err := d.Decode(&ids); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, invalid("%s is not a list of strings", what)
		}
		return nil, errNotJSON
	}
	if len(ids) == 0 {
		return nil, invalid("%s is empty", what)
	}
	if len(d.seen)+len(ids) > MaxConnections {
		return nil, invalid("the batch names more than %d connections", MaxConnections)
	}
	before := len(d.seen)
	for i, id := range ids {
		if id == "" || len(id) > sumu.MaxConnectionID {
			return nil, invalid("%s[%d] has %d bytes; 1 to %d are allowed", what, i, len(id), sumu.MaxConnectionID)
		}
		if d.seen[id] = struct{}{}; len(d.seen) == before+i {
			return nil, invalid("%s[%d] was named before; a batch names a connection once", what, i)
		}
	}
	return ids, nil
}

// object reads an object that has each of these members once, and no other.
func (d *decoder) object(what string, names []string, member func(name string) error) error {
	if err := d.delim(what, '{', "an object"); err != nil {
		return err
	}
	had := make(map[string]bool, len(names))
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		switch {
		case err != nil || !ok:
			return errNotJSON
		case had[name]:
			return invalid("%s has %q twice", what, name)
		}
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known {
			return invalid("%s has the unknown member %.64q", what, name)
		}
		had[name] = true
		if err := member(name); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errNotJSON
	}
	for _, n := range names {
		if !had[n] {
			return invalid("%s has no %q", what, n)
		}
	}
	return nil
}

// list reads a list that is not empty.
func (d *decoder) list(what string, element func(i int) error) error {
	if err := d.delim(what, '[', "a list"); err != nil {
		return err
	}
	i := 0
	for ; d.More(); i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errNotJSON
	}
	if i == 0 {
		return invalid("%s is empty", what)
	}
	return nil
}

func (d *decoder) delim(what string, want json.Delim, name string) error {
	switch t, err := d.Token(); {
	case err != nil:
		return errNotJSON
	case t != want:
		return invalid("%s is not %s", what, name)
	}
	return nil
}

func (d *decoder) text(what string) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", errNotJSON
	}
	s, ok := t.(string)
	if !ok {
		return "", invalid("%s is not a string", what)
	}
	return s, nil
}

var errNotJSON = invalid("the body is not JSON")

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}

func tooLarge(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrTooLarge}
}
