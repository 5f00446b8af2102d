package apigw_test

import (
	"errors"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher/apigw"
)

func TestStatusDecides(t *testing.T) {
	const page = "<html><body>Gone fishing</body></html>"
	for _, tt := range []struct {
		name    string
		status  int
		errType string
		body    string
		want    error
	}{
		{"gone", 410, "GoneException", `{"message":"x"}`, sumu.ErrGone},
		{"gone, without type", 410, "", "", sumu.ErrGone},
		{"gone, a page", 410, "", page, sumu.ErrGone},
		{"gone, another type", 410, "ForbiddenException", "", sumu.ErrGone},
		{"throttled", 429, "LimitExceededException", `{"message":null}`, sumu.ErrThrottled},
		{"throttled, without type", 429, "", `{"message":"Too Many Requests"}`, sumu.ErrThrottled},
		{"too large", 413, "PayloadTooLargeException", "", sumu.ErrTooLarge},
		{"too large, without type", 413, "", page, sumu.ErrTooLarge},
		{"forbidden", 403, "ForbiddenException", "", sumu.ErrForbidden},
		{"forbidden, access denied", 403, "AccessDeniedException", `{"Message":"User is not authorized"}`, sumu.ErrForbidden},
		{"forbidden, gone by type", 403, "GoneException", "", sumu.ErrForbidden},
		{"unauthorized", 401, "", "", sumu.ErrForbidden},
		{"expired token", 403, "ExpiredTokenException:http://internal/", "", sumu.ErrUnavailable},
		{"expired token, 400", 400, "ExpiredToken", "", sumu.ErrUnavailable},
		{"invalid id", 400, "BadRequestException", `{"message":"Invalid connectionId: abc"}`, sumu.ErrGone},
		{"invalid id, without type", 400, "", `{"Message":"invalid connectionID"}`, sumu.ErrGone},
		{"bad request", 400, "BadRequestException", `{"message":"Not UTF-8, Invalid connectionId"}`, sumu.ErrInvalid},
		{"bad request, no JSON", 400, "", "Invalid connectionId", sumu.ErrInvalid},
		{"bad request, empty", 400, "", "", sumu.ErrInvalid},
		{"method", 405, "", "", sumu.ErrInvalid},
		{"not found", 404, "", page, sumu.ErrUnavailable},
		{"body came too late", 408, "RequestTimeoutException", "", sumu.ErrUnavailable},
		{"moved", 301, "", page, sumu.ErrInvalid},
		{"not modified", 304, "", "", sumu.ErrInvalid},
		{"internal", 500, "InternalServerErrorException", `{"message":"x"}`, sumu.ErrUnavailable},
		{"bad gateway", 502, "", page, sumu.ErrUnavailable},
		{"unavailable", 503, "GoneException", "", sumu.ErrUnavailable},
		{"timeout", 504, "", "", sumu.ErrUnavailable},
		{"no such status", 999, "", "", sumu.ErrUnavailable},
		{"a page instead of the API", 200, "", page, sumu.ErrUnavailable},
		{"success", 200, "", "", nil},
		{"success with a body", 200, "", `{}`, nil},
		{"success, no content", 204, "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.errType != "" {
					w.Header().Set("X-Amzn-ErrorType", tt.errType)
				}
				w.Header().Set("X-Amzn-RequestId", "request-7")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			err := post(t, newSender(t, at(s.URL)))
			if tt.want == nil {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			wantKind(t, err, tt.want)
			var answer *apigw.ResponseError
			if !errors.As(err, &answer) || answer.Status != tt.status || answer.RequestID != "request-7" {
				t.Errorf("cause is %+v, want status %d", answer, tt.status)
			} else if want, _, _ := strings.Cut(tt.errType, ":"); answer.Type != want {
				t.Errorf("type is %q, want %q", answer.Type, want)
			}
		})
	}
}

// AWS repeats what was signed, with the session token, to who signs it wrong.
func TestErrorTellsNothingOfTheAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-ErrorType", "Bad "+r.Header.Get("X-Amz-Security-Token"))
		w.Header().Set("X-Amzn-RequestId", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"message":"The Canonical String should have been x-amz-security-token:` + testToken + `"}`))
	})
	err := post(t, newSender(t, at(s.URL)))
	wantKind(t, err, sumu.ErrForbidden)
	if got, want := err.Error(), "post "+testID+": forbidden: status 403"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An answer is read to its end, or else each error would cost a connection.
func TestConnectionIsReusedAfterErrors(t *testing.T) {
	status := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.Repeat(`{"message":"x"}`, 1000)))
	})
	sender := newSender(t, at(s.URL))
	opened := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			if !i.Reused {
				opened++
			}
		},
	})
	p := payload(t, testText)
	for _, status = range []int{200, 410, 429, 400, 403, 500, 302, 200} {
		if err := sender.Post(ctx, conn(testID), p); (err == nil) != (status == 200) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if opened != 1 {
		t.Errorf("%d connections were opened, want 1", opened)
	}
}

func TestEndlessAnswerIsLeft(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		line := []byte(strings.Repeat("x", 64<<10))
		for range 2000 { // More than any buffer on the way holds.
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		t.Error("128 MB were read")
	})
	// What cannot be read may have been about the id: try again, prune nothing.
	wantKind(t, post(t, newSender(t, at(s.URL))), sumu.ErrUnavailable)
}
