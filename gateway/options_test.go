package gateway_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
)

// Everything that cannot be is reported at once.
func TestOptions(t *testing.T) {
	_, err := gateway.New(nil, func(o *gateway.Options) {
		o.ConnectTimeout, o.ReadTimeout, o.WriteTimeout, o.CloseGrace = -1, -1, -1, -1
		o.DrainRate, o.WriteBuffer, o.FrameSize = -1, 100, 100
		o.LeaseTTL, o.Leases = time.Second, new(memstore.Store)
		o.Node = "a b"
		o.TrustedProxies = []netip.Prefix{{}, netip.MustParsePrefix("::ffff:10.0.0.0/104")}
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Fatalf("error is %v, want ErrInvalid", err)
	}
	for _, name := range []string{
		"App", "ConnectTimeout", "ReadTimeout", "WriteTimeout", "CloseGrace", "DrainRate", "WriteBuffer",
		"FrameSize", "LeaseTTL", "Node", "Leases needs an Endpoint", "TrustedProxies[0]", "TrustedProxies[1]",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not reported: %v", name, err)
		}
	}
}

func TestEndpointMustBeAURL(t *testing.T) {
	app := newTestApp(t)
	for endpoint, ok := range map[string]bool{
		"": true, "https://node-1.example.com/prod": true, "http://10.0.0.7:8080": true,
		"wss://node-1.example.com": false, "node-1.example.com": false, "https://": false,
		"https://a/?x=1": false, "https://a/#f": false, "https://user:pass@a/": false, "https://a\x7f": false,
	} {
		_, err := gateway.New(app, func(o *gateway.Options) { o.Endpoint = endpoint })
		if (err == nil) != ok {
			t.Errorf("%q: %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "pass") {
			t.Errorf("the error repeats a password: %v", err)
		}
	}
}

// Zero fields are defaults; negative ones mean none where that is documented.
func TestOptionsThatMayBeNegative(t *testing.T) {
	app := newTestApp(t)
	if _, err := gateway.New(app, func(o *gateway.Options) { *o = gateway.Options{} }); err != nil {
		t.Error(err)
	}
	_, err := gateway.New(app, func(o *gateway.Options) {
		o.IdleTimeout, o.MaxAge, o.MaxFrame, o.FrameSize, o.MaxURL, o.MaxHeader = -1, -1, -1, -1, -1, -1
		o.ConnectRatePerSource, o.MessageRate = -1, -1
		o.MaxSockets, o.ConnectRate, o.Compress = -1, -1, -1
	})
	if err != nil {
		t.Error(err)
	}
}

func newTestApp(t *testing.T) *sumu.App {
	t.Helper()
	app, err := sumu.NewApp(newGate(), new(memstore.Store))
	if err != nil {
		t.Fatal(err)
	}
	return app
}
