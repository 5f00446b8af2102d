package gateway

import (
	"fmt"
	"log/slog"
)

// Credentials are what a caller of the management API signs its requests with:
// an access key of your own making, or one that AWS issued. Every print of one
// (fmt, slog) leaves the secret and the token out.
type Credentials struct {
	// AccessKeyID names the secret. It is no secret itself.
	AccessKeyID string
	// SecretAccessKey signs. Credentials without it, or without AccessKeyID,
	// accept nothing.
	SecretAccessKey string
	// SessionToken, if set, must come with each request. Default "": a token
	// that comes is not looked at.
	SessionToken string
	// Region, if set, must be the region that the request is signed for.
	// Default "": any.
	Region string
}

// usable reports whether the credentials can accept a request at all: an empty
// secret is one that everybody knows.
func (c Credentials) usable() bool { return c.AccessKeyID != "" && c.SecretAccessKey != "" }

// String returns the access key id and the region.
func (c Credentials) String() string {
	return fmt.Sprintf("Credentials(%q, region %q, secret redacted)", c.AccessKeyID, c.Region)
}

// GoString is String: %#v must not show the secret either.
func (c Credentials) GoString() string { return c.String() }

// LogValue is what slog logs: the access key id and the region.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("access_key_id", c.AccessKeyID),
		slog.String("region", c.Region),
	)
}
