// Package iot tests package iot with a real MQTT broker and a browser: mochi,
// which the module of its own keeps away from users, made to behave as AWS IoT
// Core does. It verifies presigned URLs, enforces session policies, sends
// lifecycle events, and serves the HTTP API of the data plane. What it is known
// to leave out: quotas, persistent sessions, the 24 hours of a connection.
package iot
