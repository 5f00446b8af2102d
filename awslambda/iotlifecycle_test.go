package awslambda_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
)

const lifecycle = `{"clientId":"ann-ABCDEFGHIJKLMNOPQRSTUVWXYZ","timestamp":1573002230757,"eventType":"connected","versionNumber":0,` +
	`"sessionIdentifier":"a4666d2a7d844ae4ac5d7b38c9cb7967","principalIdentifier":"AROA:ann","ipAddress":"192.0.2.0"}`

func TestLifecycle(t *testing.T) {
	var got []string
	var logged strings.Builder
	l := must(awslambda.NewLifecycle(func(_ context.Context, event []byte) error {
		got = append(got, string(event))
		switch {
		case strings.Contains(string(event), "panic"):
			panic("boom")
		case strings.Contains(string(event), "bad"):
			return &sumu.Error{Op: "store", Kind: sumu.ErrUnavailable}
		}
		return nil
	}, func(o *awslambda.LifecycleOptions) { o.Logger = slog.New(slog.NewTextHandler(&logged, nil)) }))

	if out, err := l.Invoke(t.Context(), []byte(lifecycle)); err != nil || string(out) != "null" {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := l.Invoke(t.Context(), []byte(strings.Replace(lifecycle, "ann", "bad", 1))); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("a store that fails: %v", err)
	}
	if !strings.Contains(logged.String(), "event of IoT Core failed") {
		t.Errorf("logged %s", &logged)
	}
	answer := call[failures](t, l, sqsEvent(lifecycle, "bad", "panic", lifecycle))
	wantFailures(t, answer, "m2", "m3")
	if want := []string{lifecycle, lifecycle, lifecycle}; !slices.Equal(slices.DeleteFunc(got, func(s string) bool { return s != lifecycle }), want) {
		t.Errorf("applied %v", got)
	}
}

// A rule with a wildcard hands on the other types that there are: whoever
// applies events knows what to do with them.
func TestLifecycleOfOtherTypes(t *testing.T) {
	for _, eventType := range []string{"connect_failed", "subscribed", "unsubscribed"} {
		applied := ""
		l := must(awslambda.NewLifecycle(func(_ context.Context, event []byte) error {
			applied = string(event)
			return nil
		}))
		event := strings.Replace(lifecycle, `"connected"`, `"`+eventType+`"`, 1)
		if out, err := l.Invoke(t.Context(), []byte(event)); err != nil || string(out) != "null" || applied != event {
			t.Errorf("%s: %s, %v; applied %s", eventType, out, err, applied)
		}
	}
}

func TestLifecycleRefuses(t *testing.T) {
	if _, err := awslambda.NewLifecycle(nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	l := must(awslambda.NewLifecycle(func(context.Context, []byte) error { return nil }))
	for _, event := range []string{`{}`, scheduled, strings.Replace(lifecycle, `"connected"`, `"of_next_year"`, 1), strings.Replace(lifecycle, `"ann-`, `7,"x":"`, 1)} {
		if out, err := l.Invoke(t.Context(), []byte(event)); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s: %s, %v", event, out, err)
		}
	}
}
