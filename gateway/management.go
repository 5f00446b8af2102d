package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

// connections are the sockets that the management API acts upon.
type connections interface {
	// post returns ErrGone, ErrThrottled (a full buffer) or nil.
	post(id string, p *sumu.Payload) error
	// info returns ErrGone when there is no such socket.
	info(id string) (connectionInfo, error)
	// disconnect returns ErrGone when there is no such socket.
	// With the zero reason it closes with 1000.
	disconnect(id string, reason sumu.DisconnectReason) error
	// possible reports whether there can be a socket of this id.
	possible(id string) bool
}

// Management returns the @connections API of API Gateway for the sockets of g,
// so that the AWS SDKs, the AWS CLI and this module's senders work unchanged
// against it:
//
//	POST   …/@connections/{id}   body: the message, at most 128 KB of UTF-8 -> 200
//	GET    …/@connections/{id}   -> 200 {"connectedAt":…,"identity":{"sourceIp":…,"userAgent":…},"lastActiveAt":…}
//	DELETE …/@connections/{id}   closes the socket with 1000 -> 204; this module's
//	                             senders give another code and reason, in a body
//	                             {"code":4001,"reason":"kicked"}
//	POST   …/@connections        a batch, for this module's senders; see below
//
// It is a handler of its own, so that it can listen where clients do not reach:
//
//	err := gateway.Server(gw.Management(gateway.Credentials{
//		AccessKeyID:     "AKIDEXAMPLE",
//		SecretAccessKey: secret,
//	})).Serve(internal)
//
// It must answer to everything below [Gateway.Endpoint]; what comes before
// "/@connections" in a path, such as a stage, is not looked at. To serve other
// things too, take [Gateway.WithManagement] rather than an [http.ServeMux], which
// answers a path with two slashes by a redirect.
//
// With the AWS CLI, version 2, whose --data is base64 unless it is told
// otherwise (version 1 takes it as it is, without that flag):
//
//	aws apigatewaymanagementapi post-to-connection \
//		--endpoint-url https://gateway.example.com/prod \
//		--connection-id "$ID" \
//		--cli-binary-format raw-in-base64-out --data '{"hello":"world"}'
//
// # Signatures
//
// A request is carried out only if AWS Signature Version 4 (service
// execute-api, in the Authorization header) verifies over the whole of it: host
// and date are signed, the body's hash is that of the body, the date is within
// 5 minutes. Presigned URLs, unsigned and streamed payloads are refused.
// Several credentials are for rotation: any of them verifies. Without any, and
// for those without id or secret, everything is refused.
//
// A proxy in front must keep the Host header and the path as they are: both are
// signed. Give the server a ReadTimeout: a body is read before its signature
// can be verified (at most 128 KB, or 1 MiB of a batch, of a request whose
// header is well-formed); [Server] has one.
//
// # Batches
//
// A broadcast costs one request per node, not one per socket:
//
//	{"posts":[{"connections":["id",…],"data":"the message"}]} -> 200 {"gone":["id",…],"throttled":["id",…]}
//
// What the answer does not name was queued; gone and throttled stand for a 410
// and a 429 of that connection. A batch has at most 1 MiB and 10,000
// connections, each named once, and each data at most 128 KB. One that is not
// exactly of this shape is refused as a whole, 400 or 413, with the reason.
//
// # Errors
//
// Errors carry what the SDKs type them by, the header x-amzn-ErrorType, and
// {"message":…}: 410 GoneException; 429 LimitExceededException (the client's
// buffer is full); 413 PayloadTooLargeException; 403 ForbiddenException (the
// signature, or a path without @connections) or, when the clocks differ by more
// than 5 minutes, InvalidSignatureException, at which SDKs correct their own;
// 400 BadRequestException (an id that is not of API Gateway's shape, a payload
// that is not UTF-8, a malformed batch);
// 405 MethodNotAllowedException; 408 RequestTimeoutException (the body did not
// come to its end); 500 and 504 InternalServerErrorException. Every answer has an
// x-amzn-RequestId.
func (g *Gateway) Management(creds ...Credentials) http.Handler {
	return newManagement(g, g.opts.Now, g.opts.Logger, creds)
}

type management struct {
	conns connections
	now   func() time.Time
	log   *slog.Logger
	sigV4 *sigV4
}

func newManagement(conns connections, now func() time.Time, log *slog.Logger, creds []Credentials) *management {
	return &management{conns: conns, now: now, log: log, sigV4: newSigV4(creds)}
}

// ServeHTTP verifies, then acts: nothing that reads or changes a connection
// comes before authenticate has returned.
func (m *management) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := sumu.NewID()
	w.Header().Set("X-Amzn-RequestId", requestID)
	path, body, err := m.authenticate(r)
	if err == nil {
		err = m.act(w, r.Method, path, body)
	}
	if err == nil {
		return
	}
	answer := managementErrorOf(err)
	answer.write(w)
	level := slog.LevelInfo
	switch {
	case answer == errGone, answer == errThrottle: // Part of a connection's life.
		level = slog.LevelDebug
	case answer.status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	m.log.LogAttrs(r.Context(), level, "management request not carried out",
		slog.String("request_id", requestID), slog.String("remote", r.RemoteAddr),
		slog.Int("status", answer.status), slog.Any("err", err))
}

// authenticate returns the body of a request whose signature verifies, and its
// path as it was signed.
func (m *management) authenticate(r *http.Request) (path string, body []byte, err error) {
	claim, err := readClaim(r, m.now())
	if err != nil {
		return "", nil, err
	}
	if len(m.sigV4.keys) == 0 {
		return "", nil, refuseSignature
	}
	path, _ = requestTarget(r)
	most, tooLong := sumu.MaxPayload, errTooLarge
	if isBatch(r.Method, path) {
		most, tooLong = nodeapi.MaxBody, errTooLargeBatch
	}
	if body, err = readBody(r, most, tooLong); err != nil {
		return "", nil, err
	}
	err = m.sigV4.verify(r, &claim, path, body)
	if normal := normalPath(path); err != nil && normal != path {
		path, err = normal, m.sigV4.verify(r, &claim, normal, body)
	}
	if err != nil {
		return "", nil, err
	}
	return path, body, nil
}

// readBody reads at most most bytes. A length is the caller's word: no more
// than a small buffer is allocated before as many bytes have come.
func readBody(r *http.Request, most int, tooLong error) ([]byte, error) {
	if r.ContentLength > int64(most) {
		return nil, tooLong
	}
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	const first = 4 << 10
	size := int64(first)
	if 0 < r.ContentLength && r.ContentLength < first {
		size = r.ContentLength + 1 // One more, so that the end is seen without growing.
	}
	body := make([]byte, 0, size)
	for {
		n, err := r.Body.Read(body[len(body):min(cap(body), most+1)])
		body = body[:len(body)+n]
		if len(body) > most {
			return nil, tooLong
		}
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, errBadBody
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

// act carries out a request that has been verified.
func (m *management) act(w http.ResponseWriter, method, path string, body []byte) error {
	if isBatch(method, path) {
		return m.batch(w, body)
	}
	id, err := connectionID(path)
	if err != nil {
		return err
	}
	if !m.conns.possible(id) {
		return errBadID
	}
	switch method {
	case http.MethodPost:
		return m.post(w, id, body)
	case http.MethodGet:
		return m.info(w, id)
	case http.MethodDelete:
		return m.disconnect(w, id, body)
	}
	return errMethod
}

// markers come before an id.
var markers = []string{"/@connections/", "/%40connections/"}

// connectionID takes the id from the path as it was signed. It is percent-
// encoded there, once: an id of API Gateway ends in "%3D", and another's may
// hold "%2F".
func connectionID(path string) (string, error) {
	for _, marker := range markers {
		i := strings.LastIndex(path, marker)
		if i < 0 {
			continue
		}
		id, err := url.PathUnescape(path[i+len(marker):])
		if err != nil || id == "" || len(id) > sumu.MaxConnectionID || !utf8.ValidString(id) ||
			strings.Contains(path[i+len(marker):], "/") {
			return "", errBadID
		}
		return id, nil
	}
	return "", errRoute
}

func (m *management) post(w http.ResponseWriter, id string, body []byte) error {
	if !utf8.Valid(body) {
		return errNotUTF8
	}
	p, err := sumu.NewPayload(body)
	if err != nil {
		return err
	}
	if err := m.conns.post(id, p); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (m *management) info(w http.ResponseWriter, id string) error {
	c, err := m.conns.info(id)
	if err != nil {
		return err
	}
	type identity struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	}
	body, err := json.Marshal(struct {
		ConnectedAt  time.Time `json:"connectedAt"`
		Identity     identity  `json:"identity"`
		LastActiveAt time.Time `json:"lastActiveAt"`
	}{
		c.ConnectedAt.UTC().Truncate(time.Millisecond),
		identity{c.SourceIP, c.UserAgent},
		c.LastActiveAt.UTC().Truncate(time.Millisecond),
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // A caller that has left has no use for an error.
	return nil
}

func (m *management) disconnect(w http.ResponseWriter, id string, body []byte) error {
	reason, err := nodeapi.DecodeReason(body)
	if err != nil {
		return batchError(err)
	}
	if err := m.conns.disconnect(id, reason); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
