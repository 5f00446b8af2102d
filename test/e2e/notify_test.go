package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func names(n int, extra ...string) string {
	list := extra
	for i := range n {
		list = append(list, fmt.Sprintf("user-%d", i))
	}
	b, _ := json.Marshal(list) // Strings always marshal.
	return string(b)
}

func TestNotifyRefusesBadRequests(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	witness := connect(t, p, "witness")
	witness.alive()
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"no data", `{"users":["witness"]}`, 400, "data is missing"},
		{"users a string", `{"users":"witness","data":1}`, 400, "users is a string"},
		{"users with a number", `{"users":["witness",7],"data":1}`, 400, "users"},
		{"users with null", `{"users":["witness",null],"data":1}`, 400, "users[1]"},
		{"an empty user", `{"users":[""],"data":1}`, 400, "users[0]"},
		{"channels empty", `{"channels":[],"data":1}`, 400, "channels is empty"},
		{"connections empty", `{"connections":[],"data":1}`, 400, "connections is empty"},
		{"a connection without an id", `{"connections":[{"user_id":"witness"}],"data":1}`, 400, "connection_id"},
		{"a channel that cannot be", `{"channels":["room 42"],"data":1}`, 400, "white space"},
		{"an event without a type", `{"event":{"payload":{}}}`, 400, "type is missing"},
		{"a key in the wrong case", `{"Users":["x"],"data":1}`, 400, `did you mean "users"`},
		{"nobody named", `{"data":1}`, 400, "nobody is named"},
		{"an empty list of users", `{"users":[],"data":1}`, 400, "nobody is named"},
		{"a misspelt target", `{"user":"ann","data":1}`, 400, `did you mean "users"`},
		{"a target with a space", `{"users ":["ann"],"data":1}`, 400, `did you mean "users"`},
		{"a misspelt exclusion", `{"everyone":true,"exclude_user":["ann"],"data":1}`, 400, `did you mean "exclude_users"`},
		{"half a surrogate", `{"users":["\ud800"],"data":1}`, 400, "surrogate"},
		{"a key twice", `{"users":["x"],"users":["y"],"data":1}`, 400, "twice"},
		{"not JSON", `{"users"`, 400, "not valid JSON"},
		{"not an object", `[]`, 400, "not a JSON object"},
		{"nothing", ``, 400, "not valid JSON"},
		{"more than one object", `{"data":1}{"data":2}`, 400, "goes on"},
		{"invalid UTF-8", "{\"data\":\"\xff\"}", 400, "UTF-8"},
		{"invalid UTF-8 in a user", "{\"users\":[\"\xff\"],\"data\":1}", 400, "UTF-8"},
		{"data too large", `{"data":"` + strings.Repeat("x", 128*1024) + `"}`, 413, "at most 131072"},
		{"body too large", `{"data":1,"x":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too large"},
	} {
		r := post(t, p, "/notify", c.body)
		if r.status != c.status || !strings.Contains(r.json["error"], c.says) || r.json["id"] != "" {
			t.Errorf("%s: %d %.200s; want %d and an error that says %q", c.name, r.status, r.body, c.status, c.says)
		}
	}
	// None of them reached anybody: what comes next is the first that is good.
	notified(t, p, `{"everyone":true,"data":{"type":"marker"}}`)
	if m := witness.message(); m["type"] != "marker" {
		t.Errorf("a refused notification was delivered: %v", m)
	}
}

func notified(t *testing.T, p *program, body string) {
	t.Helper()
	if r := post(t, p, "/notify", body); r.status != 202 || r.json["id"] == "" {
		t.Fatalf("POST /notify: %d %.300s; want 202 with an id", r.status, r.body)
	}
}

// TestNotifyTargets sends each request, then a marker to everyone: a page that
// gets the marker first was not a target.
func TestNotifyTargets(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	sockets := map[string]*socket{}
	ids := map[string]string{}
	for _, name := range []string{"ann", "bob", "cem"} {
		sockets[name] = connect(t, p, name)
		ids[name] = sockets[name].alive()
	}
	for i, c := range []struct {
		name, targets string
		want          string // the names of those who get it, each once
	}{
		{"everyone", `"everyone":true,`, "ann bob cem"},
		{"one", `"users":["bob"],`, "bob"},
		{"duplicates", `"users":["ann","ann","ann"],"connections":[{"user_id":"ann","connection_id":"` + ids["ann"] + `"}],`, "ann"},
		{"a connection", `"connections":[{"user_id":"cem","connection_id":"` + ids["cem"] + `"}],`, "cem"},
		{"a connection of another user", `"connections":[{"user_id":"ann","connection_id":"` + ids["cem"] + `"}],`, ""},
		{"all but one", `"everyone":true,"exclude_users":["bob"],`, "ann cem"},
		{"500 excluded", `"everyone":true,"exclude_users":` + names(499, "ann") + `,`, "bob cem"},
		{"10,000 users", `"users":` + names(9_999, "cem") + `,`, "cem"},
		{"users less the excluded", `"users":["ann","bob"],"exclude_users":["ann"],`, "bob"},
		{"all but a connection", `"everyone":true,"exclude_connections":["` + ids["cem"] + `"],`, "ann bob"},
		{"nobody who is here", `"users":["zoe"],`, ""},
		{"an unknown key", `"everyone":true,"colour":"blue",`, "ann bob cem"},
	} {
		notified(t, p, fmt.Sprintf(`{%s"data":{"type":"note","number":%d}}`, c.targets, i))
		notified(t, p, fmt.Sprintf(`{"everyone":true,"data":{"type":"marker","number":%d}}`, i))
		var got []string
		for _, name := range []string{"ann", "bob", "cem"} {
			for {
				m := sockets[name].message()
				if m["type"] == "marker" {
					break
				}
				if m["type"] == "presence" {
					continue
				}
				if m["type"] != "note" || m["number"] != float64(i) {
					t.Errorf("%s: %s got %v", c.name, name, m)
				}
				got = append(got, name)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: delivered to %q; want %q", c.name, s, c.want)
		}
	}
}

// TestDataIsKept: clients receive exactly the JSON text of data.
func TestDataIsKept(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	s := connect(t, p, "ann")
	s.alive()
	for _, data := range []string{
		`null`, `0`, `""`, `1.0`, `12345678901234567890`, `{"b":1,"a":{"<&>":"\u00e9é"}}`, `[ 1,  2 ]`,
		`"` + strings.Repeat("y", 128*1024-2) + `"`,
	} {
		notified(t, p, `{"everyone":true,"data":`+data+`}`)
		if opcode, got := s.read(); opcode != opText || string(got) != data {
			t.Errorf("sent %.80q; received %.80q (opcode %d)", data, got, opcode)
		}
	}
}
