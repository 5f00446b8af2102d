package sumu_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

// Each of these would tell somebody what is not for them, or miss somebody who
// is meant, if its member were ignored.
func TestMisspeltTargets(t *testing.T) {
	for text, want := range map[string]string{
		// Nobody is named: no unknown member is ignored.
		`{"user":"ann","data":1}`:               `unknown member "user"; did you mean "users"?`,
		`{"users ":["ann"],"data":1}`:           `unknown member "users "; did you mean "users"?`,
		`{"Users":["ann"],"data":1}`:            `unknown member "Users"; did you mean "users"?`,
		`{"u\u0073ers\t":["ann"],"data":1}`:     `unknown member "users\t"; did you mean "users"?`,
		`{"usrs":["ann"],"data":1}`:             `did you mean "users"?`,
		`{"user_ids":["ann"],"data":1}`:         `did you mean "users"?`,
		`{"channel":"room.1","data":1}`:         `did you mean "channels"?`,
		`{"conections":[],"data":1}`:            `did you mean "connections"?`,
		`{"connectionIds":["c"],"data":1}`:      `did you mean "connections"?`,
		`{"events":[],"data":1}`:                `did you mean "event"?`,
		`{"to":["ann"],"data":1}`:               `unknown member "to"`,
		`{"data":1,"recipients":["ann"]}`:       `unknown member "recipients"`,
		`{"data":1,"trace":"7"}`:                `unknown member "trace"`,
		`{"data":1,"":1}`:                       `unknown member ""`,
		`{"users":[],"user":"ann","data":1}`:    `did you mean "users"?`,
		`{"users":null,"trace":"7","data":1}`:   `unknown member "trace"`,
		`{"data":1,"exclude_user":["ann"]}`:     `did you mean "exclude_users"?`,
		`{"data":1,"excludeUsers":["ann"]}`:     `did you mean "exclude_users"?`,
		`{"data":1,"exclude_chanels":["r"]}`:    `did you mean "exclude_channels"?`,
		`{"data":1,"\u200busers":["ann"]}`:      `did you mean "users"?`,
		`{"data":1,"` + long + `":["ann"]}`:     `unknown member`,
		`{"data":1,"dead_line":2000000000}`:     `did you mean "deadline"?`,
		`{"data":1,"segment":{"Index":1}}`:      `segment`,
		`{"data":1,"segment":{"idx":1}}`:        `segment`,
		`{"users":["ann"],"users":[],"data":1}`: `member "users" comes twice`,

		// Somebody is named: what looks like an exclusion is not ignored.
		`{"users":["a"],"data":1,"exclude_user":["b"]}`:           `did you mean "exclude_users"?`,
		`{"channels":["r"],"data":1,"excludeUsers":["b"]}`:        `did you mean "exclude_users"?`,
		`{"channels":["r"],"data":1,"exclude":["b"]}`:             `unknown member "exclude"`,
		`{"channels":["r"],"data":1,"except_users":["b"]}`:        `unknown member "except_users"`,
		`{"channels":["r"],"data":1,"user_exclude":["b"]}`:        `unknown member "user_exclude"`,
		`{"everyone":true,"data":1,"usersExcluded":["b"]}`:        `unknown member "usersExcluded"`,
		`{"channels":["r"],"data":1,"exclude_users ":["b"]}`:      `did you mean "exclude_users"?`,
		`{"channels":["r"],"data":1,"Exclude-Connections":["b"]}`: `did you mean "exclude_connections"?`,
		`{"channels":["r"],"data":1,"exlude_users":["b"]}`:        `did you mean "exclude_users"?`,
		`{"channels":["r"],"data":1,"excluded":["b"]}`:            `unknown member "excluded"`,
		`{"channels":["r"],"data":1,"exclusions":["b"]}`:          `unknown member "exclusions"`,
		`{"event":{"type":"T"},"exclude_usr":["b"]}`:              `did you mean "exclude_users"?`,

		// Nor what looks like a target: whom it names would be missed.
		`{"users":["a"],"channel":["x"],"data":1}`:                                           `did you mean "channels"?`,
		`{"channels":["r"],"user":["b"],"data":1}`:                                           `did you mean "users"?`,
		`{"users":["a"],"conection":[{}],"data":1}`:                                          `did you mean "connections"?`,
		`{"users":["a"],"Channels":["x"],"data":1}`:                                          `did you mean "channels"?`,
		`{"users":["a"],"every_one":true,"data":1}`:                                          `did you mean "everyone"?`,
		`{"users":["a"],"Deadline":1,"data":1}`:                                              `did you mean "deadline"?`,
		`{"event":{"type":"T","playload":{"a":1}}}`:                                          `did you mean "payload"?`,
		`{"event":{"Type":"T","payload":{"a":1}}}`:                                           `did you mean "type"?`,
		`{"event":{"type":"T","type":"U"}}`:                                                  `comes twice`,
		`{"connections":[{"user_id":"a","connection_id":"c","Connection_id":"d"}],"data":1}`: `did you mean "connection_id"?`,
		`{"connections":[{"user_id":"a","connection_id":"c","user_id":"b"}],"data":1}`:       `comes twice`,
	} {
		_, err := sumu.ParseNotification([]byte(text))
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.100s: %.300v, want %s", text, err, want)
		}
	}
}

var long = strings.Repeat("x", 100_000)

// What is unknown beside a named target is ignored, as ever: other programs
// write members of their own.
func TestUnknownMembersBesideATarget(t *testing.T) {
	for _, text := range []string{
		`{"users":["a"],"data":1,"trace":"7"}`,
		`{"users":["a"],"data":1,"date":"2026-12-01"}`,
		`{"users":["a"],"data":1,"type":"x","to":["b"],"user_agent":"x","connected":true,"form":2}`,
		`{"channels":["r"],"data":1,"":1,"user_id":"ann"}`,
		`{"connections":[{"user_id":"a","connection_id":"c","device":"phone"}],"data":1}`,
		`{"event":{"type":"T","payload":1,"source":"x"},"version":2}`,
	} {
		if n, err := sumu.ParseNotification([]byte(text)); err != nil || n.Everyone {
			t.Errorf("%s: %+v, %v", text, n, err)
		}
	}
}

// A request may have as many members of its own as fit into it: to look at each
// must not be to look at all.
func BenchmarkUnknownMembers(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		text := []byte(`{"users":["ann"],"data":1`)
		for i := range n {
			text = fmt.Appendf(text, `,"%x":0`, 0x10000+i)
		}
		text = append(text, '}')
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := sumu.ParseNotification(text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
		})
	}
}
