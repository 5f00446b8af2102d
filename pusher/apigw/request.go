package apigw

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
)

const (
	methodPost   = http.MethodPost
	methodGet    = http.MethodGet
	methodDelete = http.MethodDelete
)

// hashKey finds the hash of a payload among what was derived from it.
type hashKey struct{}

func payloadHash(data []byte) any {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// call is one request and what came of it.
type call struct {
	method string
	c      sumu.Connection
	data   []byte
	hash   string
	keep   bool // the body of the answer is wanted
	most   int  // bytes of it; 0: maxBody

	creds  aws.Credentials
	status int
	header http.Header
	body   []byte // at most so many bytes; of a 400, or if it is to be kept
	cut    error  // why the body did not come to its end
}

// do makes one request. It returns nil when there was an answer: what that
// means is the caller's to say, by its status.
func (s *Sender) do(ctx context.Context, k *call) error {
	if err := checkID(k.c.ID); err != nil {
		return err
	}
	e, err := s.endpoint(k.c.Endpoint)
	if err != nil {
		return err
	}
	return s.send(ctx, e, k)
}

// send makes one request of an endpoint: about a connection, or without an id
// about several.
func (s *Sender) send(ctx context.Context, e *endpoint, k *call) (err error) {
	if err := s.limit.wait(ctx); err != nil {
		return err
	}
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	if k.creds, err = s.creds.Retrieve(ctx); err != nil {
		return &sumu.Error{Op: "credentials", Kind: sumu.ErrUnavailable, Err: err}
	}
	switch {
	case !k.creds.HasKeys():
		return &sumu.Error{Op: "credentials are empty", Kind: sumu.ErrUnavailable}
	case k.creds.Expired():
		return &sumu.Error{Op: "credentials have expired and were not replaced", Kind: sumu.ErrUnavailable}
	}
	resp, err := s.transport.RoundTrip(s.newRequest(ctx, e, k))
	if err != nil {
		return &sumu.Error{Kind: sumu.ErrUnavailable, Err: err}
	}
	k.status, k.header = resp.StatusCode, resp.Header
	k.read(resp.Body)
	return nil
}

// checkID returns ErrInvalid for an id that no connection has, or that a proxy
// could take for another path.
func checkID(id string) error {
	if id == "" || len(id) > sumu.MaxConnectionID || id == "." || id == ".." || !utf8.ValidString(id) {
		return invalid("connection id is not one")
	}
	return nil
}

// newRequest builds by hand what http.NewRequest would parse and copy.
func (s *Sender) newRequest(ctx context.Context, e *endpoint, k *call) *http.Request {
	m := e.signer.at(&k.creds, s.now())
	values := [...]string{
		m.authorize(k.method, e, k.c.ID, k.hash, len(k.data)),
		m.date,
		k.creds.SessionToken,
	}
	h := make(http.Header, 5)
	h["Authorization"] = values[0:1:1]
	h["X-Amz-Date"] = values[1:2:2]
	if m.token != "" {
		h["X-Amz-Security-Token"] = values[2:3:3]
	}
	h["User-Agent"] = userAgent
	if k.method == methodPost {
		h["Content-Type"] = octetStream
	}
	target := s.target(e, k.c.ID)
	r := (&http.Request{
		Method:        k.method,
		URL:           target,
		Host:          target.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        h,
		ContentLength: int64(len(k.data)),
	}).WithContext(ctx)
	if len(k.data) == 0 {
		r.Body = http.NoBody
		return r
	}
	// A reader that net/http knows to be in memory: head and body are then
	// written at once.
	data := k.data
	r.Body = io.NopCloser(bytes.NewReader(data))
	// With it a request that found its idle connection closed, before a byte
	// was written, goes out on another.
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return r
}

// target returns the URL of a connection, with the path as it is signed.
func (s *Sender) target(e *endpoint, id string) *url.URL {
	path := append(make([]byte, 0, len(e.wire)+3*len(id)), e.wire...)
	path = appendEscaped(path, id, false)
	plain := e.plain
	if id == "" { // Of a batch: without the slash.
		path, plain = path[:len(path)-1], plain[:len(plain)-1]
	}
	u := &url.URL{Scheme: e.url.Scheme, Host: e.url.Host}
	if s.owned != nil {
		// Written as it is, where a RawPath would be decoded again to see
		// whether it fits the Path.
		u.Opaque = string(path)
		return u
	}
	// A caller's transport may want to look at the path.
	u.Path, u.RawPath = plain+id, string(path)
	return u
}

// Shared by all requests: a RoundTripper must not change what it is given.
var (
	userAgent   = []string{"sumu-apigw"}
	octetStream = []string{contentType}
)

// maxBody is how much of an answer is read, in bytes. Those of the API have a
// line; one that is longer costs its connection.
const maxBody = 64 << 10

// read reads an answer to its end, so that its connection can be used again.
func (k *call) read(body io.ReadCloser) {
	defer body.Close() //nolint:errcheck // Nothing is written to it.
	if body == http.NoBody {
		return
	}
	if k.keep || k.status == http.StatusBadRequest {
		most := cmp.Or(k.most, maxBody)
		k.body, k.cut = io.ReadAll(io.LimitReader(body, int64(most)))
		if k.cut == nil && len(k.body) == most {
			k.cut = errTooLong
		}
		return
	}
	_, k.cut = io.Copy(io.Discard, io.LimitReader(body, maxBody))
}

var errTooLong = errors.New("the answer is too long")

// htmlAnswer reports whether a page was served: by some other server, which a
// custom domain or a proxy leads to.
func (k *call) htmlAnswer() bool {
	t := k.header.Get("Content-Type")
	return len(t) >= len("text/html") && strings.EqualFold(t[:len("text/html")], "text/html")
}
