package ws_test

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu/internal/ws"
)

// accepted is the answer to an offer without a window for the server.
const accepted = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

func TestAcceptDeflate(t *testing.T) {
	const with15 = accepted + "; server_max_window_bits=15"
	for _, tt := range []struct {
		want  string
		lines []string
	}{
		{"", nil},
		{"", []string{""}},
		{"", []string{"x-webkit-deflate-frame"}},
		{"", []string{"deflate-frame, permessage-bzip2, , ;"}},
		{accepted, []string{"permessage-deflate"}},
		{accepted, []string{"permessage-deflate; client_max_window_bits"}}, // Chromium, Firefox
		{accepted, []string{" \tpermessage-deflate ;client_max_window_bits = 10\t; server_no_context_takeover "}},
		{accepted, []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover"}}, // gorilla
		{accepted, []string{"x-webkit-deflate-frame; no_context_takeover, permessage-deflate"}},
		{accepted, []string{"x-webkit-deflate-frame", "permessage-deflate"}},
		{accepted, []string{`permessage-deflate; client_max_window_bits="12"`}},
		{accepted, []string{`permessage-deflate; client_max_window_bits="\1\2"`}},
		{with15, []string{"permessage-deflate; server_max_window_bits=15"}},
		{with15, []string{`permessage-deflate;server_max_window_bits="15";client_max_window_bits`}},

		// An offer that cannot be met, and the one behind it.
		{"", []string{"permessage-deflate; server_max_window_bits=14"}},
		{accepted, []string{"permessage-deflate; server_max_window_bits=10, permessage-deflate; client_max_window_bits"}},
		{accepted, []string{"permessage-deflate; server_max_window_bits=10", "permessage-deflate"}},
		{accepted, []string{`permessage-deflate; x="a, permessage-deflate; b", permessage-deflate`}},
		{accepted, []string{`permessage-deflate; x="a\", permessage-deflate", permessage-deflate`}},

		// Parameters that are unknown, wrong, or there twice.
		{"", []string{"permessage-deflate; mux"}},
		{"", []string{"permessage-deflate; server_no_context_takeover=1"}},
		{"", []string{"permessage-deflate; client_no_context_takeover=true"}},
		{"", []string{"permessage-deflate; server_max_window_bits"}},
		{"", []string{"permessage-deflate; server_max_window_bits="}},
		{"", []string{"permessage-deflate; server_max_window_bits=16"}},
		{"", []string{"permessage-deflate; server_max_window_bits=015"}},
		{"", []string{"permessage-deflate; server_max_window_bits=+15"}},
		{"", []string{"permessage-deflate; client_max_window_bits=7"}},
		{"", []string{"permessage-deflate; client_max_window_bits=16"}},
		{"", []string{"permessage-deflate; client_max_window_bits=08"}},
		{"", []string{`permessage-deflate; client_max_window_bits=""`}},
		{"", []string{`permessage-deflate; client_max_window_bits=" 8"`}},
		{"", []string{`permessage-deflate; client_max_window_bits="8`}},
		{"", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=9"}},
		{"", []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}},
		{"", []string{"permessage-deflate; Server_No_Context_Takeover"}},
		{"", []string{"permessage-deflate;"}},
		{"", []string{"permessage-deflate; ; client_max_window_bits"}},
		{"", []string{"permessage-deflate client_max_window_bits"}},
		{"", []string{`"permessage-deflate"`}},
		{"", []string{`", permessage-deflate`}},
	} {
		if got := ws.AcceptDeflate(tt.lines); got != tt.want {
			t.Errorf("%q is answered with %q, want %q", tt.lines, got, tt.want)
		}
	}
}

func FuzzAcceptDeflate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits", "")
	f.Add(`x; y="a\",", permessage-deflate; server_max_window_bits=15`, "permessage-deflate")
	f.Add(`permessage-deflate; client_max_window_bits="\`, "permessage-deflate;")
	f.Fuzz(func(t *testing.T, first, second string) {
		got := ws.AcceptDeflate([]string{first, second})
		switch got {
		case "":
			// What none of them offers is not accepted either.
			if second == "permessage-deflate" {
				t.Errorf("%q, %q: nothing is accepted", first, second)
			}
		case accepted:
			if !strings.Contains(first+second, "permessage-deflate") {
				t.Errorf("%q, %q: accepted what is not offered", first, second)
			}
		case accepted + "; server_max_window_bits=15":
			if !strings.Contains(first+second, "server_max_window_bits") {
				t.Errorf("%q, %q: answered what is not asked", first, second)
			}
		default:
			t.Errorf("%q, %q: the answer is %q", first, second, got)
		}
	})
}
