package apigw

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
)

// ResponseError is an answer that was not a success: the cause that
// [errors.As] finds. It holds nothing of the answer's body, in which AWS repeats
// the session token of a request whose signature it refuses.
type ResponseError struct {
	Status    int    // of HTTP
	Type      string // such as "LimitExceededException"; "" when there was none
	RequestID string // x-amzn-RequestId, for AWS's support; may be ""
}

// Error returns the status and the type.
func (e *ResponseError) Error() string {
	s := "status " + strconv.Itoa(e.Status)
	if e.Type != "" {
		s += " " + e.Type
	}
	return s
}

// call makes a request and says what its answer means.
func (s *Sender) call(ctx context.Context, k *call) error {
	if err := s.do(ctx, k); err != nil {
		return err
	}
	err := k.outcome()
	if err == nil {
		return nil
	}
	switch k.status {
	case http.StatusTooManyRequests:
		s.limit.throttled(k.c.ID)
	default:
		if s.expired(k) {
			return &sumu.Error{Op: "credentials", Kind: sumu.ErrUnavailable, Err: k.responseError()}
		}
	}
	return err
}

// expired reports whether the credentials were refused for their age. Then the
// provider is asked for new ones.
func (s *Sender) expired(k *call) bool {
	switch k.status {
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusBadRequest:
		if strings.HasPrefix(k.errorType(), "ExpiredToken") {
			s.replace(&k.creds)
			return true
		}
	}
	return false
}

// outcome is nil for a success. The status comes first: the type is missing
// where a proxy or an emulator has answered, and where API Gateway itself
// throttles.
func (k *call) outcome() error {
	if k.status >= 200 && k.status < 300 {
		switch {
		case k.cut != nil:
			return &sumu.Error{Op: "answer broke off", Kind: sumu.ErrUnavailable, Err: k.cut}
		case k.htmlAnswer():
			return &sumu.Error{Op: "answer is a web page", Kind: sumu.ErrUnavailable, Err: k.responseError()}
		}
		return nil
	}
	return &sumu.Error{Kind: k.kind(), Err: k.responseError()}
}

func (k *call) kind() error {
	switch k.status {
	case http.StatusGone:
		return sumu.ErrGone
	case http.StatusTooManyRequests:
		return sumu.ErrThrottled
	case http.StatusRequestEntityTooLarge:
		return sumu.ErrTooLarge
	case http.StatusForbidden, http.StatusUnauthorized:
		return sumu.ErrForbidden
	case http.StatusBadRequest:
		switch {
		case k.cut != nil: // It may have been the one or the other.
			return sumu.ErrUnavailable
		case k.invalidID():
			return sumu.ErrGone
		}
		return sumu.ErrInvalid
	case http.StatusNotFound, http.StatusRequestTimeout:
		// The management API never answers 404: another server stands in for it.
		return sumu.ErrUnavailable
	}
	if k.status >= 300 && k.status < 500 {
		return sumu.ErrInvalid
	}
	return sumu.ErrUnavailable
}

// invalidID reports whether an answer of 400 says that there can be no
// connection of this id: API Gateway's word for ids that it made long ago.
func (k *call) invalidID() bool {
	const words = "invalid connectionid"
	var answer struct {
		Message string `json:"message"` // "Message" too: names match in any case.
	}
	if err := json.Unmarshal(k.body, &answer); err != nil {
		return false
	}
	return len(answer.Message) >= len(words) && strings.EqualFold(answer.Message[:len(words)], words)
}

func (k *call) responseError() *ResponseError {
	return &ResponseError{Status: k.status, Type: k.errorType(), RequestID: word(k.header.Get("X-Amzn-Requestid"))}
}

// errorType takes "GoneException" out of "GoneException:http://…".
func (k *call) errorType() string {
	name, _, _ := strings.Cut(k.header.Get("X-Amzn-Errortype"), ":")
	return word(name)
}

// word lets only names and ids into errors and logs.
func word(s string) string {
	if len(s) > 80 {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; !unreserved(c) && c != '=' {
			return ""
		}
	}
	return s
}

// replace has the provider fetch new credentials in place of those that have
// expired, once for all the requests that were signed with them.
func (s *Sender) replace(creds *aws.Credentials) {
	cache, ok := s.creds.(interface{ Invalidate() }) // As aws.CredentialsCache has it.
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale.AccessKeyID == creds.AccessKeyID && s.stale.SessionToken == creds.SessionToken {
		return
	}
	s.stale = *creds
	cache.Invalidate()
}
