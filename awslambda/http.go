package awslambda

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu/internal/logging"
)

// HTTPOptions tune an [HTTP]. The zero value of a field is its default.
type HTTPOptions struct {
	// Logger is told of a handler that panicked, at level Error. Default:
	// [slog.Default], warnings and errors; slog.New(slog.DiscardHandler) for
	// silence.
	Logger *slog.Logger
}

// HTTP serves a function URL, or the routes of an HTTP API with the payload
// format 2.0, by a handler of net/http: such as an iot.Vendor. The answer is
// sent when the handler returns; what it does not write until then is lost.
type HTTP struct {
	handler http.Handler
	logger  *slog.Logger
}

var _ handler = (*HTTP)(nil)

// NewHTTP returns a handler that serves h. ErrInvalid is returned when h is nil.
func NewHTTP(h http.Handler, optFns ...func(*HTTPOptions)) (*HTTP, error) {
	var o HTTPOptions
	for _, fn := range optFns {
		fn(&o)
	}
	if h == nil {
		return nil, invalid("an HTTP needs an http.Handler")
	}
	return &HTTP{handler: h, logger: logging.Or(o.Logger)}, nil
}

// Invoke handles an event of [KindHTTP]; see [HTTP.Handle].
func (h *HTTP) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, h, payload)
}

func (h *HTTP) handle(ctx context.Context, e *event) (any, error) {
	if err := e.only("HTTP", KindHTTP); err != nil {
		return nil, err
	}
	var r events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(e.payload, &r); err != nil {
		return nil, invalid("event of an HTTP request has another shape") // err may repeat a part of it.
	}
	return h.Handle(ctx, r)
}

// Handle serves one request. A handler that panics is answered with 500, and an
// event that is no request with an error.
func (h *HTTP) Handle(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	req, err := httpRequest(ctx, &r)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	w := &answerWriter{header: make(http.Header)}
	err = safely(func() error {
		h.handler.ServeHTTP(w, req)
		return nil
	})
	if err != nil {
		if !errors.Is(err, http.ErrAbortHandler) {
			logError(ctx, h.logger, "http handler failed", err, "request_id", r.RequestContext.RequestID)
		}
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusInternalServerError}, nil
	}
	return w.response(), nil
}

func httpRequest(ctx context.Context, r *events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := r.Body
	if r.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(r.Body)
		if err != nil {
			return nil, invalid("body of the event is not base64")
		}
		body = string(b)
	}
	u := &url.URL{Path: r.RawPath, RawQuery: r.RawQueryString}
	if path, err := url.PathUnescape(r.RawPath); err == nil {
		u.Path, u.RawPath = path, r.RawPath
	}
	req, err := http.NewRequestWithContext(ctx, r.RequestContext.HTTP.Method, "/", strings.NewReader(body))
	if err != nil {
		return nil, invalid("event of an HTTP request has no method")
	}
	req.URL, req.RequestURI = u, u.RequestURI()
	req.TLS = new(tls.ConnectionState) // It came by https; AWS ended it.
	req.Host, req.RemoteAddr = r.RequestContext.DomainName, r.RequestContext.HTTP.SourceIP
	for name, value := range r.Headers { // Several of a name are joined by commas already.
		req.Header.Set(name, value)
	}
	if len(r.Cookies) > 0 {
		req.Header.Set("Cookie", strings.Join(r.Cookies, "; "))
	}
	return req, nil
}

// answerWriter is an [http.ResponseWriter] that keeps the answer.
type answerWriter struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   []byte
}

// Header returns the header, which WriteHeader freezes.
func (w *answerWriter) Header() http.Header { return w.header }

// WriteHeader sets the status, once.
func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write adds to the body.
func (w *answerWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, b...)
	return len(b), nil
}

func (w *answerWriter) response() events.APIGatewayV2HTTPResponse {
	w.WriteHeader(http.StatusOK)
	out := events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: make(map[string]string, len(w.sent))}
	if w.sent.Get("Content-Type") == "" && len(w.body) > 0 {
		w.sent.Set("Content-Type", http.DetectContentType(w.body)) // As net/http does.
	}
	for name, values := range w.sent {
		if name == "Set-Cookie" {
			out.Cookies = values
			continue
		}
		out.Headers[name] = strings.Join(values, ",")
	}
	if utf8.Valid(w.body) {
		out.Body = string(w.body)
	} else {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body), true
	}
	return out
}
