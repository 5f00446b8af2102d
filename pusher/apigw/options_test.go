package apigw_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// Every bad option is told at once, and none of what it held.
func TestNewTellsEveryBadOption(t *testing.T) {
	_, err := apigw.New(nil, "us east", func(o *apigw.Options) {
		o.Endpoint = "https://user:" + testSecret + "@ws.example.com"
		o.AllowedHosts = []string{"https://ws.example.com", "ok.example.com", "*", "*.com", "10.0.0.0/33", "a:b", "a:0", "[::1", "169.254.43518", ""}
		o.MaxConns, o.Timeout, o.RateLimit = -1, time.Nanosecond, math.NaN()
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"credentials", `"us east"`, "Endpoint: endpoint has user information", "MaxConns is -1", "Timeout is 1ns", "RateLimit is NaN",
		`"https://ws.example.com"`, `"*"`, `"*.com"`, `"10.0.0.0/33"`, `"a:b"`, `"a:0"`, `"[::1"`, `"169.254.43518"`, `""`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 15 {
		t.Errorf("%d errors, want 15:\n%v", n, err)
	}
	wantNoSecret(t, err.Error())
}

func TestNewRefusesPlainEndpoint(t *testing.T) {
	_, err := apigw.New(static(testCreds), "eu-west-1", at("http://ws.example.com"))
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	for _, ok := range []string{"http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]", "http://localhost:3000/prod"} {
		if _, err := apigw.New(static(testCreds), "eu-west-1", at(ok)); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}
