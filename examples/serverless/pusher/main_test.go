package main

import (
	"log/slog"
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
	for _, want := range []string{"AWS_REGION is not set", "SUMU_REQUESTS_QUEUE_URL is not set", "SUMU_MANAGEMENT_HOSTS is not set"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	h, err := newHandler(of(map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
		"SUMU_REQUESTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/requests", "SUMU_MANAGEMENT_HOSTS": " abc.execute-api.us-east-1.amazonaws.com ,",
		"SUMU_MANAGEMENT_ENDPOINT": "https://ws.example.com/live", "SUMU_REJECT_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/reject",
	}), discard)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := h.Invoke(t.Context(), []byte(`{"hello":"world"}`)); err == nil || !strings.Contains(err.Error(), "no known kind") {
		t.Errorf("an unknown event: %s, %v", out, err)
	}
}
