package nodeapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

func TestDecode(t *testing.T) {
	body := ` {"posts" : [{"data":"{\"a\":\"é€\\n\"}","connections":["c1=","c2="]}, {"connections":["c3="],"data":""}] } `
	want := nodeapi.Batch{Posts: []nodeapi.Post{
		{Connections: []string{"c1=", "c2="}, Data: "{\"a\":\"é€\\n\"}"},
		{Connections: []string{"c3="}},
	}}
	got, err := nodeapi.Decode([]byte(body))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func ids(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"c` + strconv.Itoa(i) + `"`)
	}
	return b.String()[1:]
}

// Every body that is not exactly a batch is refused with what is wrong.
func TestDecodeIsStrict(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct{ name, body, says string }{
		{"empty", ``, "not JSON"},
		{"not JSON", `x`, "not JSON"},
		{"cut short", `{"posts":[{"connections":["a"],"data":"x"}]`, "not JSON"},
		{"cut within", `{"posts":[{"connections":["a"`, "not JSON"},
		{"a comma too many", `{"posts":[{"connections":["a"],"data":"x"},]}`, "not JSON"},
		{"more behind", `{"posts":[{"connections":["a"],"data":"x"}]} {}`, "behind"},
		{"garbage behind", `{"posts":[{"connections":["a"],"data":"x"}]} x`, "behind"},
		{"a list", `[]`, "the body is not an object"},
		{"null", `null`, "the body is not an object"},
		{"no posts", `{}`, `no "posts"`},
		{"posts null", `{"posts":null}`, "posts is not a list"},
		{"posts empty", `{"posts":[]}`, "posts is empty"},
		{"posts twice", `{"posts":[{"connections":["a"],"data":"x"}],"posts":[]}`, `"posts" twice`},
		{"Posts", `{"Posts":[{"connections":["a"],"data":"x"}]}`, `unknown member "Posts"`},
		{"one more member", `{"posts":[{"connections":["a"],"data":"x"}],"id":1}`, `unknown member "id"`},
		{"a post that is none", `{"posts":["a"]}`, "posts[0] is not an object"},
		{"a post null", `{"posts":[{"connections":["a"],"data":"x"},null]}`, "posts[1] is not an object"},
		{"half a surrogate", `{"posts":[{"connections":["\ud800"],"data":"x"}]}`, "surrogate"},
		{"half in data", `{"posts":[{"connections":["a"],"data":"\udc00"}]}`, "surrogate"},
		{"half in a name", `{"posts":[{"connections":["a"],"data":"x","\ud800":1}]}`, "unknown member"},
		{"no data", `{"posts":[{"connections":["a"]}]}`, `posts[0] has no "data"`},
		{"data null", `{"posts":[{"connections":["a"],"data":null}]}`, "posts[0].data is not a string"},
		{"data an object", `{"posts":[{"connections":["a"],"data":{"a":1}}]}`, "posts[0].data is not a string"},
		{"data twice", `{"posts":[{"connections":["a"],"data":"x","data":"y"}]}`, `posts[0] has "data" twice`},
		{"no connections", `{"posts":[{"data":"x"}]}`, `posts[0] has no "connections"`},
		{"connections empty", `{"posts":[{"connections":[],"data":"x"}]}`, "posts[0].connections is empty"},
		{"connections null", `{"posts":[{"connections":null,"data":"x"}]}`, "posts[0].connections is empty"},
		{"connections a string", `{"posts":[{"connections":"a","data":"x"}]}`, "posts[0].connections is not a list of strings"},
		{"an id that is a number", `{"posts":[{"connections":["a",7],"data":"x"}]}`, "posts[0].connections is not a list of strings"},
		{"an id null", `{"posts":[{"connections":[null],"data":"x"}]}`, "posts[0].connections[0] has 0 bytes"},
		{"an id empty", `{"posts":[{"connections":[""],"data":"x"}]}`, "posts[0].connections[0] has 0 bytes"},
		{"an id too long", `{"posts":[{"connections":["` + long(sumu.MaxConnectionID+1) + `"],"data":"x"}]}`, "1025 bytes"},
		{"an id twice", `{"posts":[{"connections":["a","a"],"data":"x"}]}`, "posts[0].connections[1] was named before"},
		{"an id twice, in two posts", `{"posts":[{"connections":["a"],"data":"x"},{"connections":["a"],"data":"y"}]}`, "posts[1].connections[0] was named before"},
		{"too many ids", `{"posts":[{"connections":[` + ids(nodeapi.MaxConnections+1) + `],"data":"x"}]}`, "more than 10000 connections"},
		{"not UTF-8", "{\"posts\":[{\"connections\":[\"a\"],\"data\":\"\xff\"}]}", "not valid UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := nodeapi.Decode([]byte(tt.body))
			if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("error is %v, want ErrInvalid that says %q", err, tt.says)
			}
		})
	}
}

func TestDecodeLimits(t *testing.T) {
	post := func(data int) string {
		return `{"posts":[{"connections":["a"],"data":"` + strings.Repeat("x", data) + `"}]}`
	}
	for name, tt := range map[string]struct {
		body string
		kind error
	}{
		"the longest data":   {post(sumu.MaxPayload), nil},
		"one byte more":      {post(sumu.MaxPayload + 1), sumu.ErrTooLarge},
		"a body too long":    {strings.Repeat(" ", nodeapi.MaxBody) + post(1), sumu.ErrTooLarge},
		"the longest body":   {strings.Repeat(" ", nodeapi.MaxBody-len(post(1))) + post(1), nil},
		"as many ids as can": {`{"posts":[{"connections":[` + ids(nodeapi.MaxConnections) + `],"data":"x"}]}`, nil},
		"escapes count once": {`{"posts":[{"connections":["a"],"data":"` + strings.Repeat(`\n`, sumu.MaxPayload) + `"}]}`, nil},
	} {
		if _, err := nodeapi.Decode([]byte(tt.body)); !errors.Is(err, tt.kind) || (err == nil) != (tt.kind == nil) {
			t.Errorf("%s: %.200v, want %v", name, err, tt.kind)
		}
	}
}

// What is accepted is within the limits, and is the same for a decoder that is
// not ours.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"posts":[{"connections":["a","b"],"data":"x"},{"data":"","connections":["c"]}]}`,
		`{"posts":[{"connections":["a"],"data":"x"}],"posts":[]}`, `{"posts":[{"connections":["a","a"],"data":"x"}]}`,
		`{"posts":null}`, `[]`, `{"posts":[{"connections":["\ud800"],"data":"\ud83d\ude00"}]}`, "\xff", `{"posts":[{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := nodeapi.Decode(body)
		if err != nil {
			if !errors.Is(err, sumu.ErrInvalid) && !errors.Is(err, sumu.ErrTooLarge) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		var want nodeapi.Batch
		if err := json.Unmarshal(body, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v; encoding/json reads %+v (%v)", got, want, err)
		}
		n := 0
		for _, p := range got.Posts {
			n += len(p.Connections)
			if len(p.Connections) == 0 || len(p.Data) > sumu.MaxPayload || !utf8.ValidString(p.Data) {
				t.Fatalf("accepted %+v", p)
			}
		}
		if n == 0 || n > nodeapi.MaxConnections {
			t.Fatalf("accepted %d connections", n)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		// HTML characters grow when they are escaped.
		if back, err := nodeapi.Decode(again); len(again) <= nodeapi.MaxBody && (err != nil || !reflect.DeepEqual(back, got)) {
			t.Fatalf("what was accepted is refused: %v", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"posts":[{"connections":[` + strings.ReplaceAll(ids(nodeapi.MaxConnections), `"c`, `"L0SM9cOFvHc`) +
		`],"data":"` + strings.Repeat("x", 200) + `"}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nodeapi.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}
