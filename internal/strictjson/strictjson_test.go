package strictjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sumu-live/sumu/internal/strictjson"
)

func TestParse(t *testing.T) {
	o, err := strictjson.Parse([]byte(" {\"a\" : [1, {\"a\":2}] ,\"\\u0041\\\"\":\"x}\\\"\", \"\":null}\n"), 3)
	if err != nil || len(o) != 3 {
		t.Fatal(o, err)
	}
	for name, want := range map[string]string{"a": `[1, {"a":2}]`, `A"`: `"x}\""`, "": "null", "b": ""} {
		if got := string(o.Get(name)); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	var many, twice strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `,"m%d":1`, i)
	}
	twice.WriteString(many.String() + `,"m50":1`)
	for text, want := range map[string]string{
		``:                                    "not valid JSON: it ends too early",
		`{"a":`:                               "not valid JSON: it ends too early",
		`{"a":1,}`:                            "not valid JSON (at byte 8)",
		`{"a":01}`:                            "not valid JSON",
		`{} {}`:                               "text goes on after the JSON object",
		`{}}`:                                 "text goes on after the JSON object",
		`[]`:                                  "not a JSON object",
		`"a"`:                                 "not a JSON object",
		`null`:                                "not a JSON object",
		"{\"a\":\"\xff\"}":                    "text is not valid UTF-8",
		`{"a":1,"\u0061":2}`:                  `member "a" comes twice`,
		`{"\ud800":1}`:                        "a name holds half of a surrogate pair",
		`{` + many.String()[1:] + `}`:         "more than 99 members",
		`{` + twice.String()[1:] + `}`:        `member "m50" comes twice`,
		"\ufeff{}":                            "not valid JSON",
		`{"` + long + `":1,"` + long + `":1}`: "comes twice",
	} {
		limit := 99
		if strings.Contains(want, "m50") {
			limit = 0
		}
		_, err := strictjson.Parse([]byte(text), limit)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%.100q: %v, want %s", text, err, want)
		}
	}
}

var long = strings.Repeat("x", 10_000)

func TestList(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`: nil, ` [ ] `: nil, `[1,"a]", [2] ,{"b":[]}]`: {"1", `"a]"`, "[2]", `{"b":[]}`},
	} {
		var got []string
		elements, ok := strictjson.List([]byte(text))
		if !ok {
			t.Errorf("%s is no list", text)
			continue
		}
		for e := range elements {
			got = append(got, string(e))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q", text, got)
		}
	}
	for _, text := range []string{``, `{}`, `1`, `"[]"`} {
		if _, ok := strictjson.List([]byte(text)); ok {
			t.Errorf("%s is a list", text)
		}
	}
}

// FuzzParse has encoding/json as the judge of everything but what Parse is
// stricter about.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"a":1,"b":[{"c":"\ud83d\ude00"}]}`, `{"\ud800":1}`, `{"a":1,"a":2}`, `{"a":"\\ud800"}`, ` { } `, `{"a":"\"}"}`, `[{}]`, `{"\u0061":1}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := strictjson.Parse(data, 0)
		var want map[string]json.RawMessage
		lenient := json.Unmarshal(data, &want)
		if err != nil {
			if lenient == nil && want != nil && utf8.Valid(data) && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "surrogate") {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		if lenient != nil || len(want) != len(o) {
			t.Fatalf("%q: %d members, %v; want %d", data, len(o), lenient, len(want))
		}
		for _, m := range o {
			if !bytes.Equal(want[m.Name], m.Value) {
				t.Errorf("%q: %q is %s, want %s", data, m.Name, m.Value, want[m.Name])
			}
		}
	})
}

// FuzzString has a slower reader of surrogates as the judge.
func FuzzString(f *testing.F) {
	for _, text := range []string{`"\ud83d\ude00"`, `"\ud800"`, `"\udc00\ud800"`, `"\udc00\udc00"`, `"\\ud800"`, `"\uD800\u0041"`, `"\ud800\ud800\udc00"`, `"�\ufffd"`, `"a"`, `1`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.TrimSpace(data)
		var want string
		if !utf8.Valid(data) || json.Unmarshal(data, &want) != nil || data[0] != '"' {
			return
		}
		got, ok := strictjson.String(data)
		half := halfIn(string(data[1 : len(data)-1]))
		if ok == half || ok && got != want || half != strictjson.HalfSurrogate(data) {
			t.Errorf("%s: %q, %t; want %q, %t", data, got, ok, want, !half)
		}
	})
}

func halfIn(text string) bool {
	var units []uint16
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if r == '\\' {
			size = 2
			if r = ' '; text[1] == 'u' {
				size = 6
				if _, err := fmt.Sscanf(text[2:6], "%04x", &r); err != nil {
					panic(err)
				}
				units, text = append(units, uint16(r)), text[size:]
				continue
			}
		}
		units, text = utf16.AppendRune(units, r), text[size:]
	}
	for i := 0; i < len(units); i++ {
		if !utf16.IsSurrogate(rune(units[i])) {
			continue
		}
		if i+1 == len(units) || utf16.DecodeRune(rune(units[i]), rune(units[i+1])) == utf8.RuneError {
			return true
		}
		i++
	}
	return false
}
