package iot_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/iot"
)

func TestClientID(t *testing.T) {
	for user, want := range map[string]string{
		"ann":              "ann",
		"ann-bob_7.x":      "ann-bob_7.x",
		"auth0|7":          "auth0=7C7",
		"a=7C":             "a=3D7C",
		"a/../*?${x}+#":    "a=2F..=2F=2A=3F=24=7Bx=7D=2B=23",
		"Jürgen":           "J=C3=BCrgen",
		`"quoted'\`:        "=22quoted=27=5C",
		"eu-west-1:1234-5": "eu-west-1=3A1234-5",
		"-":                "-",
	} {
		id, err := iot.NewClientID(user)
		if err != nil {
			t.Fatal(err)
		}
		if got := id[:len(id)-27]; got != want || id[len(id)-27] != '-' {
			t.Errorf("client id of %q is %q, want %q-…", user, id, want)
		}
		if got, ok := iot.UserOf(id); got != user || !ok {
			t.Errorf("user of %q is %q, %v", id, got, ok)
		}
		if topic, err := iot.Topic(id); err != nil || topic != "sumu/"+want+"/"+id {
			t.Errorf("topic of %q is %q, %v", id, topic, err)
		}
		if again, _ := iot.NewClientID(user); again == id {
			t.Errorf("%q was made twice", id)
		}
	}
}

func TestClientIDRefuses(t *testing.T) {
	for user, kind := range map[string]error{
		"":                        sumu.ErrInvalid,
		"\xff":                    sumu.ErrInvalid,
		strings.Repeat("u", 102):  sumu.ErrTooLarge,
		strings.Repeat("|", 34):   sumu.ErrTooLarge,
		strings.Repeat("u", 3000): sumu.ErrInvalid,
	} {
		if id, err := iot.NewClientID(user); !errors.Is(err, kind) || id != "" {
			t.Errorf("client id of %.20q: %q, %v", user, id, err)
		}
	}
	if id, err := iot.NewClientID(strings.Repeat("u", iot.MaxUser)); err != nil || len(id) != iot.MaxClientID {
		t.Errorf("the longest user id: %d bytes, %v", len(id), err)
	}
}

const random = "-ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func TestOthersClientIDs(t *testing.T) {
	if _, ok := iot.UserOf("ann" + random); !ok {
		t.Fatal("what is ours is refused")
	}
	for _, id := range []string{
		"", "thermostat-7", random, "ann" + random[:26], "ann" + strings.ToLower(random), "ann_" + random[1:],
		"a=41" + random, // "A" has another form
		"a=7c" + random, "a=7" + random, "a=" + random, "a=FF" + random, "a/b" + random, "a+" + random,
		strings.Repeat("u", 102) + random,
	} {
		if user, ok := iot.UserOf(id); ok {
			t.Errorf("%q is of user %q", id, user)
		}
		if topic, err := iot.Topic(id); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%q has topic %q, %v", id, topic, err)
		}
	}
}

// No two user ids have one client id, and whatever is in one means nothing in
// an ARN or a topic.
func FuzzClientID(f *testing.F) {
	for _, s := range []string{"ann", "a=41", "auth0|7", "a/b*?${x}+#"} {
		f.Add(s, s+random)
	}
	f.Fuzz(func(t *testing.T, user, foreign string) {
		if id, err := iot.NewClientID(user); err == nil {
			if got, ok := iot.UserOf(id); !ok || got != user {
				t.Errorf("user of %q is %q, %v; want %q", id, got, ok, user)
			}
			if len(id) > iot.MaxClientID || strings.ContainsAny(id, "/*?$#+{}\"'\\ ") {
				t.Errorf("client id %q", id)
			}
		}
		if user, ok := iot.UserOf(foreign); ok {
			id, err := iot.NewClientID(user)
			if err != nil || id[:len(id)-27] != foreign[:len(foreign)-27] {
				t.Errorf("%q is of %q, whose client ids are as %q, %v", foreign, user, id, err)
			}
		}
	})
}
