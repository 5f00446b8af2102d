package sumu_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

func TestValidateChannel(t *testing.T) {
	for _, name := range []string{"a", "room.42", "Room.42", "a/b:c@d|e", "räum", strings.Repeat("x", sumu.MaxChannel), "{x}", "."} {
		if err := sumu.ValidateChannel(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, part := range map[string]string{
		"": "empty", strings.Repeat("x", sumu.MaxChannel+1): "257 bytes", strings.Repeat("ä", 129): "258 bytes",
		"a\xff": "UTF-8", "a b": "white space", "a\u00a0b": "white space", "a\tb": "white space", "a\u0085": "white space",
		"a\x00": "control", "a\x7f": "control", "a#b": `"#"`, "room.*": `"*"`,
	} {
		err := sumu.ValidateChannel(name)
		wantKind(t, err, sumu.ErrInvalid)
		if err == nil || !strings.Contains(err.Error(), part) || len(err.Error()) > 120 {
			t.Errorf("%.20q: %v; want it to say %s", name, err, part)
		}
		n := sumu.Notification{Channels: []string{"ok", name}, Data: []byte("1")}
		if err := n.Validate(); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "channels[1]") {
			t.Errorf("a notification to %.20q: %v", name, err)
		}
		n = sumu.Notification{Everyone: true, ExcludeChannels: []string{name}, Data: []byte("1")}
		if err := n.Validate(); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "exclude_channels[0]") {
			t.Errorf("a notification to all but %.20q: %v", name, err)
		}
	}
}
