package iot

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
)

// call is what was asked for, as far as answers mean different things.
type call int

const (
	messaging call = iota
	publishing
	closing
)

// classify says what the failure of a call means: by its status first, because
// the type is missing where something in between has answered. The cause stays
// reachable.
func classify(err error, c call) error {
	if err == nil {
		return nil
	}
	return &sumu.Error{Kind: kindOfAnswer(err, c), Err: err}
}

func kindOfAnswer(err error, c call) error {
	code, message := "", ""
	var api smithy.APIError
	if errors.As(err, &api) {
		code, message = strings.TrimSuffix(api.ErrorCode(), "Exception"), api.ErrorMessage()
	}
	var answer interface{ HTTPStatusCode() int }
	if !errors.As(err, &answer) {
		return sumu.ErrUnavailable
	}
	switch status := answer.HTTPStatusCode(); {
	case strings.HasPrefix(code, "ExpiredToken"):
		return sumu.ErrUnavailable // The provider has new ones, or will have.
	case status == http.StatusNotFound:
		// The client is not connected. Only IoT itself can know: another 404
		// comes from something in between, and must cost no row.
		if code == "ResourceNotFound" && c != publishing {
			return sumu.ErrGone
		}
		return sumu.ErrUnavailable
	case status == http.StatusTooManyRequests:
		return sumu.ErrThrottled
	case status == http.StatusRequestEntityTooLarge:
		return sumu.ErrTooLarge
	case status == http.StatusForbidden && c == messaging && receiverRefused(message):
		return sumu.ErrInvalid
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return sumu.ErrForbidden
	case status == http.StatusGatewayTimeout && code == "GatewayTimeout" && c == messaging:
		// It has not acknowledged: it reads too slowly, or is about to be found
		// gone. It may have the message.
		return sumu.ErrThrottled
	case status == http.StatusRequestTimeout:
		return sumu.ErrUnavailable
	case status >= 300 && status < 500:
		return sumu.ErrInvalid
	}
	return sumu.ErrUnavailable
}

// receiverRefused reports whether it is the client whose policy lacks something,
// not the sender's: that must not stop a batch.
func receiverRefused(message string) bool {
	m := strings.ToLower(message)
	return strings.Contains(m, "iot:receive") || strings.Contains(m, "receiver")
}
