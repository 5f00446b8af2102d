package main

import (
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/examples/serverless/internal/env"
)

func of(vars map[string]string) *env.Env {
	return env.New(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

var discard = slog.New(slog.DiscardHandler)

func TestSettings(t *testing.T) {
	_, err := newHandler(of(nil), discard)
	if err == nil {
		t.Fatal("it starts without any setting")
	}
	for _, want := range []string{"AWS_REGION is not set", "AWS_ACCESS_KEY_ID is not set"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	h, err := newHandler(of(map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
		"SUMU_OUTPUT_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:output", "SUMU_OUTPUT_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/output",
	}), discard)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := h.Invoke(t.Context(), []byte(`{"hello":"world"}`)); err == nil || !strings.Contains(err.Error(), "no known kind") {
		t.Errorf("an unknown event: %s, %v", out, err)
	}
}

func TestChannelSettings(t *testing.T) {
	vars := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
		"SUMU_REQUESTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/requests", "SUMU_DEFAULT_CHANNEL": "default", "SUMU_OPEN": "true",
	}
	if _, err := newHandler(of(vars), discard); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"SUMU_OPEN": "perhaps", "SUMU_DEFAULT_CHANNEL": "no spaces"} {
		bad := maps.Clone(vars)
		bad[name] = value
		if _, err := newHandler(of(bad), discard); err == nil {
			t.Errorf("it starts with %s=%s", name, value)
		}
	}
}
