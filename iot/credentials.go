package iot

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Credentials are what a client needs for one connection, or with
// [VendorOptions.Keys] for the connections of one client id. They are secret:
// only their JSON shows them.
type Credentials struct {
	Endpoint string `json:"iotEndpoint"` // host of the MQTT endpoint
	Region   string `json:"region"`
	// ClientID is the only one with which the client may connect.
	ClientID string `json:"clientId"`
	// Topic is the client's own: notifications come on it.
	Topic string `json:"topic"`
	// ChannelPrefix comes before a channel's name in its topic.
	ChannelPrefix string `json:"channelPrefix"`

	// URL opens one connection, within [URLLife]. "" with VendorOptions.Keys.
	URL string `json:"url,omitempty"`

	// The keys of a session of the role; "" without VendorOptions.Keys.
	AccessKey    string `json:"accessKey,omitempty"`
	SecretKey    string `json:"secretKey,omitempty"`
	SessionToken string `json:"sessionToken,omitempty"`

	// ExpiresAt is when the session ends: no connection is opened with it then.
	ExpiresAt time.Time `json:"expiresAt"`
}

// String returns the client id only: the rest is secret.
func (c Credentials) String() string { return "credentials of " + c.ClientID }

// Format writes String whatever the verb: none may show a key.
func (c Credentials) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue is String: no handler of log/slog may show a key.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }
