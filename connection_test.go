package sumu_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

func TestConnectionValidate(t *testing.T) {
	for _, tt := range []struct {
		name, user, id string
		want           string // part of the error's text; "": valid
	}{
		{"short", "u", "c", ""},
		{"longest", strings.Repeat("u", sumu.MaxUserID), strings.Repeat("c", sumu.MaxConnectionID), ""},
		{"not ASCII", "Jürgen 🎉", "c", ""},
		{"no user", "", "c", "user_id is empty"},
		{"no id", "u", "", "connection_id is empty"},
		{"user too long", strings.Repeat("u", sumu.MaxUserID+1), "c", "user_id has 2049 bytes"},
		{"counted in bytes", strings.Repeat("ü", sumu.MaxUserID/2+1), "c", "user_id has 2050 bytes"},
		{"id too long", "u", strings.Repeat("c", sumu.MaxConnectionID+1), "connection_id has 1025 bytes"},
		{"user not UTF-8", "u\xff", "c", "user_id is not valid UTF-8"},
		{"id not UTF-8", "u", "c\xc3", "connection_id is not valid UTF-8"},
	} {
		c := sumu.Connection{UserID: tt.user, ID: tt.id}
		if (c.Ref() != sumu.ConnectionRef{UserID: tt.user, ConnectionID: tt.id}) {
			t.Errorf("%s: Ref() = %v", tt.name, c.Ref())
		}
		err := c.Validate()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		wantKind(t, err, sumu.ErrInvalid)
		if err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %q, want it to hold %q", tt.name, err, tt.want)
		}
	}
}

func TestConnectionLive(t *testing.T) {
	for _, tt := range []struct {
		name     string
		deleteAt time.Time
		want     bool
	}{
		{"never expires", time.Time{}, true},
		{"later", now.Add(1), true},
		{"this moment", now, false},
		{"before", now.Add(-1), false},
		{"1970", time.Unix(0, 0), false},
	} {
		if got := (sumu.Connection{DeleteAt: tt.deleteAt}).Live(now); got != tt.want {
			t.Errorf("%s: Live = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestSegmentValidate(t *testing.T) {
	for _, tt := range []struct {
		index, count int
		ok           bool
	}{
		{0, 0, true},
		{0, 1, true},
		{3, 4, true},
		{1, 0, false},
		{1, 1, false},
		{4, 4, false},
		{-1, 4, false},
		{0, -1, false},
	} {
		err := sumu.Segment{Index: tt.index, Count: tt.count}.Validate()
		if tt.ok && err != nil {
			t.Errorf("segment %d of %d: %v", tt.index, tt.count, err)
		}
		if !tt.ok {
			wantKind(t, err, sumu.ErrInvalid)
		}
	}
}
