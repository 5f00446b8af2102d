package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sumu-live/sumu"
)

// managementError is an answer that is not 2xx, as an AWS SDK reads it: the
// type from the header x-amzn-ErrorType, the message from the JSON body.
type managementError struct {
	status  int
	code    string // the SDK's name of the type
	message string
}

// Error makes it an error; callers read the answer that write makes of it.
func (e *managementError) Error() string { return e.code + ": " + e.message }

var (
	errBadID         = &managementError{http.StatusBadRequest, "BadRequestException", "Invalid connectionId"}
	errNotUTF8       = &managementError{http.StatusBadRequest, "BadRequestException", "The payload is not valid UTF-8: connections carry text frames"}
	errBadBody       = &managementError{http.StatusRequestTimeout, "RequestTimeoutException", "The body did not come to its end"}
	errMethod        = &managementError{http.StatusMethodNotAllowed, "MethodNotAllowedException", "Use POST, GET or DELETE"}
	errGone          = &managementError{http.StatusGone, "GoneException", "The connection is no more"}
	errTooLarge      = &managementError{http.StatusRequestEntityTooLarge, "PayloadTooLargeException", "The payload has more than 131072 bytes"}
	errTooLargeBatch = &managementError{http.StatusRequestEntityTooLarge, "PayloadTooLargeException", "The batch has more than 1048576 bytes"}
	errThrottle      = &managementError{http.StatusTooManyRequests, "LimitExceededException", "Too many requests, or the client reads too slowly"}
	errInternal      = &managementError{http.StatusInternalServerError, "InternalServerErrorException", "Internal server error"}
	errTimeout       = &managementError{http.StatusGatewayTimeout, "InternalServerErrorException", "Endpoint request timed out"}
	// errRoute is 403 as API Gateway has it: an endpoint with a wrong stage or
	// mapping is a fault of configuration, and a sender must stop at it.
	errRoute = &managementError{http.StatusForbidden, "ForbiddenException", "No @connections route matches this path"}
)

// managementErrorOf is the answer for an error of the verification or of the
// hub.
//
// AWS has a type for each reason why a signature is refused
// (MissingAuthenticationTokenException, InvalidSignatureException, …), all of
// them 403, but the SDK's client types ForbiddenException only: that is what
// callers can match, so it is the type here, and the message tells the reason.
// But for a clock that is wrong: by InvalidSignatureException an SDK sees that it
// is its own, corrects it by the answer's Date, and tries again.
func managementErrorOf(err error) *managementError {
	var answer *managementError
	var refused refusal
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &refused):
		code := "ForbiddenException"
		if refused == refuseSkew {
			code = "InvalidSignatureException"
		}
		return &managementError{http.StatusForbidden, code, string(refused)}
	case errors.Is(err, sumu.ErrGone):
		return errGone
	case errors.Is(err, sumu.ErrThrottled), errors.Is(err, sumu.ErrLimit):
		return errThrottle
	case errors.Is(err, sumu.ErrTooLarge):
		return errTooLarge
	case errors.Is(err, sumu.ErrInvalid):
		return errBadID
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	}
	return errInternal
}

func (e *managementError) write(w http.ResponseWriter) {
	body, err := json.Marshal(struct {
		Message string `json:"message"`
	}{e.message})
	if err != nil { // A struct of one string always marshals.
		body = []byte(`{}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-ErrorType", e.code)
	if e.status == http.StatusMethodNotAllowed {
		h.Set("Allow", "POST, GET, DELETE")
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // A caller that has left has no use for an error.
}
