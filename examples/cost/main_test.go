package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func line(t *testing.T, u usage, name string) item {
	t.Helper()
	for _, i := range bill(u) {
		if i.name == name {
			return i
		}
	}
	t.Fatalf("no line %q", name)
	return item{}
}

func near(got, want float64) bool { return math.Abs(got-want) <= want*1e-9 }

// The figures that the design knows: an idle connection is 0.0108 dollars a
// month in minutes (of 43,200; of 730 hours 0.01095), and pinging every 30 s,
// answered, is 16 times that.
func TestPingsCostMoreThanConnections(t *testing.T) {
	u := usage{connections: 1, session: time.Hour, targets: 1, size: 10, ping: 30 * time.Second, pong: true}
	minutes, pings := line(t, u, "connection minutes"), line(t, u, "pings")
	if !near(minutes.dollar, 0.01095) || !near(pings.dollar/minutes.dollar, 16) {
		t.Errorf("minutes %v, pings %v", minutes, pings)
	}
	u.ping, u.pong = 9*time.Minute, false
	if got := line(t, u, "pings"); !near(got.units, 730*60/9.0) {
		t.Errorf("pings %v", got)
	}
	u.ping = 0
	if got := line(t, u, "pings"); got.units != 0 {
		t.Errorf("pings %v", got)
	}
}

func TestBill(t *testing.T) {
	u := usage{
		connections: 1_000, session: 2 * time.Hour, messages: 24_000, targets: 10, clientMessages: 2_400,
		size: 40 << 10, presence: true,
	}
	connects, posts := 365_000.0, 730_000.0
	for name, want := range map[string]float64{
		"connection minutes":                          43_800_000,
		"messages to clients":                         posts * 2, // of 32 KB
		"messages from clients, and acknowledgements": 73_000 * 3,
		"DynamoDB writes":                             connects*6 + posts/10*2,
		"DynamoDB reads":                              connects*4 + posts,
		"SQS requests":                                posts/10*3 + 73_000,
		"Lambda requests":                             connects*3.2 + posts/100,
	} {
		if got := line(t, u, name); !near(got.units, want) {
			t.Errorf("%s: %v units, want %v", name, got.units, want)
		}
	}
	withPresence := total(bill(u))
	u.presence = false
	if without := total(bill(u)); without >= withPresence || without <= 0 {
		t.Errorf("without presence %v, with %v", without, withPresence)
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	if err := run([]string{"-connections", "10000", "-messages-per-day", "1e6"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"connection minutes", "in all", "every 30 s", "SQS"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	for _, p := range prices {
		if p.source == "" || p.read == "" || !strings.Contains(out.String(), p.source) {
			t.Errorf("%s: a price without a source and date", p.name)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, args := range []string{
		"-connections=-1", "-connections=NaN", "-connections=x", "-size=0", "-size=131073", "-session=3h", "-session=0s",
		"-ping=10m", "-ping=-1s", "-targets=0", "-messages-per-day=+Inf", "10000",
	} {
		if err := run(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%s is accepted", args)
		}
	}
}
