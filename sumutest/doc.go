// Package sumutest is for the tests of programs that use sumu.
//
// [New] runs everything in the test's process: an issuer of tokens, the
// authorizer that verifies them, a store, an App, a gateway on a loopback
// address, a pusher and a client to notify with. Its clients are real
// WebSockets:
//
//	func TestPublish(t *testing.T) {
//		env := sumutest.New(t)
//		shop.Register(env.App, env.Client) // the code under test
//
//		ann := env.Connect(t, "ann")
//		ann.Send(t, `{"action":"publish","ref":"1","message":{"order":7}}`)
//		if ack := ann.NextType(t, "ack"); !strings.Contains(ack, `"ref":"1"`) {
//			t.Errorf("acknowledged with %s", ack)
//		}
//		ann.Expect(t, `{"order":7,"status":"placed"}`)
//	}
//
// Everything ends with the test. Nothing waits by sleeping: what is expected is
// waited for, for [Options.Wait] at most, and its absence is proved
// ([Conn.ExpectNothing]) instead of hoped for.
//
// # Without sockets
//
// The parts are of use alone, and as zero values: [Client] records what code
// notifies, [Recorder] what a pusher posts, [Authorizer] lets in whoever says
// who he is, [Clock] stands still until it is told to move. [NewIssuer] makes
// tokens, good ones and hostile ones, and serves their keys in the three shapes
// that providers have.
//
// # Faults
//
// [Faults] are what can go wrong with the next calls of a [Client] or a
// [Recorder]: an error such as [sumu.ErrThrottled] (429) or [sumu.ErrGone]
// (410), no answer at all, or an answer that is lost. Between the pusher and
// the gateway of an [Env] stands a Recorder too, [Env.Sender].
//
// All of it is safe for concurrent use and for parallel tests. Methods that are
// given a [testing.TB] may end the test: call them on its goroutine.
package sumutest

import "time"

// wait is how long is waited for what must come, unless the caller says
// otherwise. It is long because only a test that fails waits for it.
const wait = 10 * time.Second
