package gateway

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// ownRefusal is why the gateway itself refuses a connection.
type ownRefusal struct {
	status int
	err    error
}

// Error returns the reason.
func (o *ownRefusal) Error() string { return o.err.Error() }

// Unwrap returns the reason, for its kind.
func (o *ownRefusal) Unwrap() error { return o.err }

func newRefusal(status int, op string, kind error) *ownRefusal {
	return &ownRefusal{status, &sumu.Error{Op: op, Kind: kind}}
}

var (
	errStopping   = newRefusal(http.StatusServiceUnavailable, "gateway is shutting down", sumu.ErrUnavailable)
	errNoLease    = newRefusal(http.StatusServiceUnavailable, "gateway does not hold its lease", sumu.ErrUnavailable)
	errFull       = newRefusal(http.StatusTooManyRequests, "gateway holds MaxSockets", sumu.ErrLimit)
	errRate       = newRefusal(http.StatusTooManyRequests, "more connections than ConnectRate", sumu.ErrThrottled)
	errSourceRate = newRefusal(http.StatusTooManyRequests, "more connections than ConnectRatePerSource", sumu.ErrThrottled)
	errLongURL    = newRefusal(http.StatusRequestURITooLong, "URL is longer than MaxURL", sumu.ErrTooLarge)
	errHeaders    = newRefusal(http.StatusRequestHeaderFieldsTooLarge, "request line and headers are over MaxHeader", sumu.ErrTooLarge)
	errQuery      = newRefusal(http.StatusBadRequest, "query string is malformed", sumu.ErrInvalid)
)

// checkSize returns why a request is too long; nil: it is not.
func (g *Gateway) checkSize(r *http.Request) error {
	if most := g.opts.MaxURL; most > 0 && len("wss://")+len(r.Host)+len(r.RequestURI) > most {
		return errLongURL
	}
	if g.opts.MaxHeader == 0 {
		return nil
	}
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  ") + len(r.Host)
	for _, values := range r.Header {
		for _, v := range values {
			size += len(v)
		}
	}
	if size > g.opts.MaxHeader {
		return errHeaders
	}
	return nil
}

// queryOf refuses what net/http would leave out without a word: a token that
// is not there is another error than one that cannot be read. A semicolon is a
// character like others.
func queryOf(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
	if err != nil {
		return nil, errQuery // err would repeat a part of it.
	}
	return query, nil
}

// refuse answers a request that opens no socket, as API Gateway does: clients
// are not told why.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	var bad *ws.HandshakeError
	var own *ownRefusal
	status, text := http.StatusInternalServerError, "Internal server error"
	asked := true // The App was asked, and has told its observer.
	switch {
	case errors.As(err, &bad):
		bad.SetHeaders(w.Header())
		status, text, asked = bad.Status, bad.Reason, false
	case errors.As(err, &own):
		status, text, asked = own.status, http.StatusText(own.status), false
	case errors.Is(err, sumu.ErrUnauthorized):
		status, text = http.StatusUnauthorized, "Unauthorized"
	case errors.Is(err, sumu.ErrForbidden):
		status, text = http.StatusForbidden, "Forbidden"
	case errors.Is(err, sumu.ErrLimit), errors.Is(err, sumu.ErrThrottled):
		status, text = http.StatusTooManyRequests, "Too Many Requests"
	default:
		g.connectErrors.Add(r.Context(), g.opts.Logger, slog.LevelError, 1, "connections failed", "connection", id, "err", err)
	}
	if f := g.opts.Observer.Refused; f != nil && !asked {
		f(r.Context(), id, g.sourceOf(r), err)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Message string `json:"message"`
	}{text})
}
