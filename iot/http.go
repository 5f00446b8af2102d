package iot

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"

	"github.com/sumu-live/sumu"
)

var _ http.Handler = (*Vendor)(nil)

// ServeHTTP answers a POST that has a token, wherever the authorizer looks for
// it, with credentials as JSON. Otherwise the answer is
//
//	{"code":"unauthorized","message":"…"}
//
// with the status 401 for a missing or bad token, 403 for a client that may not
// connect or whose user id or grants cannot stand in a policy, 429 and 503 when
// it may succeed later, 500 for a fault of ours, 405 for another method. An
// answer is never cached. The headers of CORS are left to whatever is in front;
// [VendorOptions.Origins] holds with and without them.
func (v *Vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "bad_request", "use POST")
		return
	}
	req := connectRequest(r)
	id, err := v.identify(r.Context(), req)
	if err != nil {
		v.refuseIdentity(r.Context(), w, err)
		return
	}
	p, err := v.permit(id)
	if err != nil { // It names a grant or the user id, which are the client's own.
		v.opts.Logger.InfoContext(r.Context(), "credentials refused", "user_id", id.UserID, "error", err.Error())
		refuse(w, http.StatusForbidden, "forbidden", err.Error())
		return
	}
	c, err := v.assume(r.Context(), p)
	if err != nil {
		v.opts.Logger.ErrorContext(r.Context(), "credentials not vended", "user_id", id.UserID, "error", err.Error())
		refuseFault(w, err)
		return
	}
	answer(w, http.StatusOK, c)
}

// refuseIdentity logs no more than the kind: the text of an authorizer that is
// not ours may hold a token.
func (v *Vendor) refuseIdentity(ctx context.Context, w http.ResponseWriter, err error) {
	switch kind := kindOf(err); {
	case errors.Is(kind, sumu.ErrUnauthorized):
		v.opts.Logger.InfoContext(ctx, "credentials refused", "status", http.StatusUnauthorized)
		refuse(w, http.StatusUnauthorized, "unauthorized", "no token, or one that is not accepted")
	case errors.Is(kind, sumu.ErrForbidden):
		v.opts.Logger.InfoContext(ctx, "credentials refused", "status", http.StatusForbidden)
		refuse(w, http.StatusForbidden, "forbidden", "not allowed to connect")
	default:
		v.opts.Logger.ErrorContext(ctx, "token could not be verified", "retryable", sumu.Retryable(err))
		refuseFault(w, err)
	}
}

func refuseFault(w http.ResponseWriter, err error) {
	switch kind := kindOf(err); {
	case errors.Is(kind, sumu.ErrThrottled):
		refuse(w, http.StatusTooManyRequests, "rate_limited", "try again later")
	case sumu.Retryable(err):
		refuse(w, http.StatusServiceUnavailable, "unavailable", "try again later")
	default:
		refuse(w, http.StatusInternalServerError, "unavailable", "not available")
	}
}

// kindOf is the outermost kind of an error: what refused us is not a client that
// we refuse.
func kindOf(err error) error {
	for e := (*sumu.Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Kind != nil {
			return e.Kind
		}
	}
	return err
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // A URL's "&" is to be read as it is.
	_ = enc.Encode(body)     // Nobody is left to tell.
}

func connectRequest(r *http.Request) *sumu.ConnectRequest {
	ip := r.RemoteAddr
	if host, _, err := net.SplitHostPort(ip); err == nil {
		ip = host
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return &sumu.ConnectRequest{Scheme: scheme, Host: r.Host, Header: r.Header, Query: r.URL.Query(), SourceIP: ip}
}
