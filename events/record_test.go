package events_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/events"
)

// read returns the events of a record, as "type payload", and what is none of
// them, as "!" and its text.
func read(t testing.TB, data []byte) (got []string) {
	t.Helper()
	for body, err := range events.Records(data) {
		if err != nil {
			if !errors.Is(err, sumu.ErrInvalid) && !errors.Is(err, sumu.ErrTooLarge) {
				t.Errorf("%q: %v", body, err)
			}
			got = append(got, "!"+string(body))
			continue
		}
		n, err := sumu.ParseNotification(body)
		if err != nil || n.Event == nil || n.Everyone || len(n.Users)+len(n.Channels)+len(n.Connections) > 0 {
			t.Errorf("%q became %q: %v", data, body, err)
			continue
		}
		got = append(got, n.Event.Type+" "+string(n.Event.Payload))
	}
	return got
}

func TestRecords(t *testing.T) {
	for record, want := range map[string]string{
		`{"MessageType":"NESClick","Message":{"color":"blue"}}`:          `NESClick {"color":"blue"}`,
		` { "Message" : [1] , "MessageType" : "t", "more": {} } `:        `t [1]`,
		`{"MessageType":"t","Message":null}`:                             `t null`,
		`{"event":{"type":"t","payload":{"a":1}}}`:                       `t {"a":1}`,
		`{"MessageType":"t"}`:                                            `!`,
		`{"MessageType":"","Message":1}`:                                 `!`,
		`{"MessageType":7,"Message":1}`:                                  `!`,
		`{"MessageType":"` + strings.Repeat("t", 257) + `","Message":1}`: `!`,
		`{"Message":1}`:                                     `!`,
		`{"data":"to everybody"}`:                           `!`,
		`{"users":["ann"],"data":1}`:                        `!`,
		`{"users":["ann"],"event":{"type":"t"}}`:            `!`,
		`{"event":{"type":""}}`:                             `!`,
		`{"MessageType":"\ud800","Message":1}`:              `!`, // Half of a surrogate pair: another's type.
		`{"\ud800":1,"MessageType":"t","Message":1}`:        `!`,
		`{"MessageType":"t","MessageType":"u","Message":1}`: `!`,
		`{"MessageType":"t","Message":"\ud800"}`:            `t "\ud800"`,
		`{"event":{"type":"t"},"user":"ann"}`:               `!`,
		`{"event":"t"}`:                                     `!`,
		`[{"MessageType":"t","Message":1}]`:                 `!`,
		`null`:                                              `!`,
		`7`:                                                 `!`,
		`not JSON`:                                          `!`,
		``:                                                  `!`,
		"\xff\xfe":                                          `!`,
		"\x1f\x8b\x08":                                      `!`, // gzip
		`{"MessageType":"t","Message":"` + "\xff" + `"}`:                               `!`,
		`{"MessageType":"t","Message":"` + strings.Repeat("x", sumu.MaxPayload) + `"}`: `!`,
	} {
		if want == "!" {
			want += record
		}
		if got := read(t, []byte(record)); !slices.Equal(got, []string{want}) {
			t.Errorf("%.80q became %.80q; want %.80q", record, got, want)
		}
	}
}

// aggregate makes what the Kinesis Producer Library makes of several records.
func aggregate(parts ...string) []byte {
	field := func(b []byte, number byte, value []byte) []byte {
		b = append(b, number<<3|2)
		return append(binary.AppendUvarint(b, uint64(len(value))), value...)
	}
	body := field(nil, 1, []byte("partition key"))
	body = field(body, 2, []byte("340282366920938463463374607431768211455"))
	for i, part := range parts {
		record := binary.AppendUvarint([]byte{1 << 3}, 0)
		if i%2 == 1 {
			record = binary.AppendUvarint(append(record, 2<<3), 0)
		}
		record = field(record, 3, []byte(part))
		record = field(record, 4, field(nil, 1, []byte("tag")))
		body = field(body, 3, record)
	}
	return seal(body)
}

func seal(body []byte) []byte {
	sum := md5.Sum(body)
	return slices.Concat([]byte{0xf3, 0x89, 0x9a, 0xc2}, body, sum[:])
}

func TestAggregates(t *testing.T) {
	a, b := `{"MessageType":"t","Message":1}`, `{"MessageType":"t","Message":"`+strings.Repeat("x", 300)+`"}`
	got := read(t, aggregate(a, "nonsense", b, "", a))
	want := []string{"t 1", "!nonsense", `t "` + strings.Repeat("x", 300) + `"`, "!", "t 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := read(t, aggregate()); len(got) != 0 {
		t.Errorf("an empty aggregate holds %q", got)
	}
	for range events.Records(aggregate(a, a)) { // A loop may be left.
		break
	}
	good := aggregate(a, b)
	for name, bad := range map[string][]byte{
		"magic alone":      good[:4],
		"cut":              good[:len(good)-1],
		"another checksum": append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1),
		"a changed byte":   bytes.Replace(good, []byte("MessageType"), []byte("messageType"), 1),
		"no protobuf":      seal([]byte("nonsense")),
		"an endless size":  seal([]byte{3<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}),
		"no data":          seal([]byte{3<<3 | 2, 2, 1 << 3, 0}),
		"half a number":    seal([]byte{1 << 3, 0x80}),
	} {
		if got := read(t, bad); !slices.Equal(got, []string{"!" + string(bad)}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(aggregate(`{"MessageType":"t","Message":1}`, `no`))
	f.Add(seal([]byte{3<<3 | 2, 2, 1 << 3, 0}))
	f.Fuzz(func(t *testing.T, data []byte) {
		read(t, data)       // Whatever is no error is a notification of an event.
		read(t, seal(data)) // Past the checksum.
	})
}
