package interop

import (
	"context"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

var cases = []testCase{
	{"token as sub-protocol", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		if c.Protocol() != "sumu" {
			a.Errorf("the sub-protocol is %q", c.Protocol())
		}
		a.bye(c)
	}},
	{"token in the query", likeAPIGateway, func(a *attempt) {
		c := a.open(func(at *address) {
			at.url += "?authorization=" + a.s.token(a.T, a.user, nil)
			at.protocols = nil
		})
		if c.Protocol() != "" {
			a.Errorf("the sub-protocol is %q", c.Protocol())
		}
		a.bye(c)
	}},
	{"no token: 401", likeAPIGateway, func(a *attempt) {
		a.refused(401, func(at *address) { at.protocols = []string{"sumu"} })
	}},
	{"token expired: 401", likeAPIGateway, func(a *attempt) {
		a.refused(401, func(at *address) {
			at.protocols[1] = "bearer." + a.s.token(a.T, a.user, func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() })
		})
	}},
	{"audience of another: 403", likeAPIGateway, func(a *attempt) {
		a.refused(403, func(at *address) {
			at.protocols[1] = "bearer." + a.s.token(a.T, a.user, func(c map[string]any) { c["aud"] = "another" })
		})
	}},

	{"0, 1, 125, 126, 127 bytes", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		a.echoes(c, 0, 0, 1, 125, 126, 127)
		a.bye(c)
	}},
	{"32 KB in one frame", likeAPIGateway, func(a *attempt) {
		c := a.open(func(at *address) { at.frame = 32 << 10 })
		a.echoes(c, 0, 32<<10-1, 32<<10)
		a.bye(c)
	}},
	{"fragments of 16 KB", likeAPIGateway, func(a *attempt) {
		c := a.open(func(at *address) { at.frame = 16 << 10 })
		a.echoes(c, 16<<10, 65535, 65536, sumu.MaxPayload)
		a.bye(c)
	}},
	{"fragments of 5 bytes", likeAPIGateway, func(a *attempt) {
		c := a.open(func(at *address) { at.frame = 5 })
		a.echoes(c, 5, 6, 64, 1000)
		a.bye(c)
	}},
	{"ping between fragments", likeAPIGateway, func(a *attempt) {
		c := a.open(func(at *address) { at.frame = 100 })
		a.echo(c, message{text: text(300), frame: 100, ping: true})
		a.bye(c)
	}},
	{"64 KB as it frames them itself", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		if a.client.whole {
			a.sendBad(c, message{text: text(65536)})
			a.isClosed(c, 1009)
			a.cell = "1009"
			return
		}
		a.echoes(c, 0, 65536)
		a.bye(c)
	}},
	{"128 KB in one frame, allowed", longFrames, func(a *attempt) {
		c := a.open(func(at *address) { at.frame = sumu.MaxPayload })
		a.echoes(c, 0, 65535, 65536, sumu.MaxPayload)
		a.bye(c)
	}},
	{"unicode", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		for _, s := range []string{"\x00", "é€𝄞", "\ufeffBOM", "\uffff\U0010ffff", "e\u0301 👩‍👩‍👧 שלום", "\u2028\u2029\ufffd", strings.Repeat("𝄞", 8000)} {
			a.echo(c, message{text: s})
		}
		a.bye(c)
	}},
	{"100 at once, in order", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		for i := range 100 {
			a.send(c, message{text: text(i)})
		}
		for i := range 100 {
			a.receive(c, text(i))
		}
		a.bye(c)
	}},
	{"posts of 1 B to 128 KB", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		to := a.s.opened(a.T, a.user)
		lengths := []int{1, 125, 126, 32 << 10, 32<<10 + 1, 65535, 65536, sumu.MaxPayload}
		for _, n := range lengths {
			a.post(to, text(n))
		}
		for _, n := range lengths {
			a.receive(c, text(n))
		}
		a.bye(c)
	}},
	{"quiet for 4 s, pinged each second", pinging, func(a *attempt) {
		c := a.open(nil)
		to := a.s.opened(a.T, a.user)
		posted := time.AfterFunc(4*time.Second, func() { a.post(to, "still there") })
		defer posted.Stop()
		a.receive(c, "still there")
		a.bye(c)
	}},
	{"over TLS", overTLS, func(a *attempt) {
		c := a.open(nil)
		to := a.s.opened(a.T, a.user)
		a.echoes(c, 0, 1, 32<<10)
		a.post(to, text(sumu.MaxPayload))
		a.receive(c, text(sumu.MaxPayload))
		a.bye(c)
	}},
	{"compression offered, not taken", likeAPIGateway, func(a *attempt) {
		c := a.open(func(at *address) { at.compress = true })
		a.echoes(c, 0, 1, 20_000)
		a.bye(c)
		if offered, _ := a.s.offered.Load(a.user); !strings.HasPrefix(offered.(string), "permessage-deflate") {
			a.Errorf("the client offers %q", offered)
		}
	}},
	{"compressed", compressing, func(a *attempt) {
		c := a.open(func(at *address) { at.compress = true })
		to := a.s.opened(a.T, a.user)
		a.echoes(c, 0, 0, 1, 125)
		sent, received := a.s.relay.sent.Load(), a.s.relay.received.Load()
		// Longer than a frame may be, until they are compressed.
		a.echoes(c, 0, 65535, 65536, sumu.MaxPayload, 65535)
		a.post(to, text(sumu.MaxPayload))
		a.receive(c, text(sumu.MaxPayload))
		sent, received = a.s.relay.sent.Load()-sent, a.s.relay.received.Load()-received
		a.Logf("%d KB were sent in %d bytes, %d KB received in %d", 320, sent, 448, received)
		if sent > 320<<10/5 || received > 448<<10/5 {
			a.Error("that was not compressed")
		}
		for _, s := range []string{"\x00", strings.Repeat("é€𝄞", 500), "👩‍👩‍👧 שלום", strings.Repeat("\u2028\ufffd", 500)} {
			a.echo(c, message{text: s})
		}
		a.bye(c)
	}},
	{"compressed, in fragments, ping between", compressing, func(a *attempt) {
		c := a.open(func(at *address) { at.compress, at.frame = true, 100 })
		a.echo(c, message{text: text(30_000), frame: 100, ping: true})
		a.echoes(c, 100, 500, 10_000)
		a.bye(c)
	}},
	{"compressed, server closes: 1000", compressing, func(a *attempt) {
		c := a.open(func(at *address) { at.compress = true })
		to := a.s.opened(a.T, a.user)
		a.post(to, text(1000))
		if err := a.s.gw.Disconnect(context.Background(), to); err != nil {
			a.Fatal(err)
		}
		a.receive(c, text(1000))
		a.isClosed(c, 1000)
	}},

	{"ping", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		for _, payload := range []string{"p", "", strings.Repeat("p", 125)} {
			if err := c.Ping(payload); err != nil {
				a.Fatalf("ping of %d bytes: %v", len(payload), err)
			}
		}
		a.bye(c)
	}},
	{"pong unasked", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		if err := c.Pong("unasked"); err != nil {
			a.Fatal(err)
		}
		a.echoes(c, 0, 10)
		a.bye(c)
	}},

	{"client closes: 1000 and words", likeAPIGateway, func(a *attempt) { a.closes(a.open(nil), 1000, "until then") }},
	{"client closes: 3000", likeAPIGateway, func(a *attempt) { a.closes(a.open(nil), 3000, "") }},
	{"client closes: 4999, 123 bytes", likeAPIGateway, func(a *attempt) { a.closes(a.open(nil), 4999, strings.Repeat("€", 41)) }},
	{"close without code", likeAPIGateway, func(a *attempt) { a.closes(a.open(nil), 0, "") }},
	{"client vanishes: 1006", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		if err := c.Drop(); err != nil {
			a.Error(err)
		}
		a.s.expectEnd(a.T, a.user, sumu.DisconnectReason{Code: 1006, Text: "connection lost"})
	}},
	{"server closes: 1000", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		if err := a.s.gw.Disconnect(context.Background(), a.s.opened(a.T, a.user)); err != nil {
			a.Fatal(err)
		}
		a.isClosed(c, 1000)
	}},
	{"binary: 1003", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		a.sendBad(c, message{text: "binary", binary: true})
		a.isClosed(c, 1003)
	}},
	{"not UTF-8: 1007", likeAPIGateway, func(a *attempt) {
		c := a.open(nil)
		if err := c.SendRaw([]byte("caf\xe9 au lait")); err != nil {
			a.Fatal(err)
		}
		a.isClosed(c, 1007)
	}},
	{"frame over 32 KB: 1009", likeAPIGateway, func(a *attempt) {
		c := a.open(func(at *address) { at.frame = 32<<10 + 1 })
		a.sendBad(c, message{text: text(32<<10 + 1)})
		a.isClosed(c, 1009)
	}},
	{"message over 128 KB: 1009", longFrames, func(a *attempt) {
		c := a.open(func(at *address) { at.frame = 1 << 20 })
		a.sendBad(c, message{text: text(sumu.MaxPayload + 1)})
		a.isClosed(c, 1009)
	}},
	{"shutdown: 1001, then 503", likeAPIGateway, func(a *attempt) {
		a.s = start(a.T, config{}) // Its own, as there is no way back.
		c := a.open(nil)
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.s.shutdown(a.T)
		}()
		a.isClosed(c, 1001)
		<-done
		a.refused(503, nil)
	}},
}
