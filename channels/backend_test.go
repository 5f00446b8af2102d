package channels_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
)

func TestBackend(t *testing.T) {
	w := newWorld(t, func(o *channels.Options) { o.MaxChannels = 2 })
	ctx := t.Context()
	laptop, phone := w.connect("ann", "laptop").Connection.Ref(), w.connect("ann", "phone").Connection.Ref()
	bob := w.connect("bob", "b1").Connection.Ref()
	for _, ref := range []sumu.ConnectionRef{laptop, bob, phone} {
		if err := w.rooms.Join(ctx, ref, "news"); err != nil { // Without a grant.
			t.Fatal(err)
		}
	}
	var users, members []string
	for user, err := range w.rooms.Users(ctx, "news") {
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, user)
	}
	for c, err := range w.rooms.Members(ctx, "news") {
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, c.ID)
	}
	if !slices.Equal(users, []string{"ann", "bob"}) || !slices.Equal(members, []string{"laptop", "b1", "phone"}) {
		t.Errorf("users %q, members %q", users, members)
	}
	for user := range w.rooms.Users(ctx, "news") { // A loop may be left.
		_ = user
		break
	}
	if n, err := w.rooms.Count(ctx, "news"); n != 3 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	if err := w.rooms.Leave(ctx, laptop, "news"); err != nil {
		t.Error(err)
	}
	if err := w.rooms.Leave(ctx, laptop, "news"); err != nil {
		t.Errorf("a second time: %v", err)
	}
	for _, channel := range []string{"a", "b"} {
		if err := w.rooms.Join(ctx, laptop, channel); err != nil {
			t.Error(err)
		}
	}
	var of []string
	for channel := range w.rooms.Of(ctx, laptop) {
		of = append(of, channel)
	}
	if !slices.Equal(of, []string{"a", "b"}) {
		t.Errorf("channels are %q", of)
	}
	for _, tt := range []struct {
		ref     sumu.ConnectionRef
		channel string
		kind    error
	}{
		{laptop, "c", sumu.ErrLimit},
		{sumu.ConnectionRef{UserID: "ann", ConnectionID: "other"}, "c", sumu.ErrGone},
		{phone, "c d", sumu.ErrInvalid},
	} {
		if err := w.rooms.Join(ctx, tt.ref, tt.channel); !errors.Is(err, tt.kind) {
			t.Errorf("join %v to %q: %v; want %v", tt.ref, tt.channel, err, tt.kind)
		}
	}
	w.store.err = &sumu.Error{Op: "table", Kind: sumu.ErrUnavailable}
	failed := 0
	for _, err := range w.rooms.Users(ctx, "news") {
		if err != nil {
			failed++
		}
	}
	for _, err := range w.rooms.Members(ctx, "news") {
		if err != nil {
			failed++
		}
	}
	if err := w.rooms.Leave(ctx, phone, "news"); failed != 2 || !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("%d of 2 lists failed, leave %v", failed, err)
	}
}
