// Package interop tests the gateway with WebSocket clients that others wrote.
// It is a module of its own, so that no peer enters the builds of users.
//
//	SUMU_E2E=1 go test -v ./...
//
// runs every case with every client and prints a table of them. The clients in
// Python come from setup.sh. wscat and Chromium are tested by test/e2e.
package interop
