package apigw

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

// batchPause is for how long a node that has refused a batch gets none: it may
// be of a version that takes none, and will be replaced.
const batchPause = time.Minute

const (
	batchHead = `{"posts":[{"connections":[`
	batchData = `],"data":`
	batchTail = `}]}`
)

// MaxBatch returns how many connections at the endpoint of c one PostBatch
// takes: 0 unless its host is one of [Options.NodeHosts], and for a minute after
// the node has refused a batch.
func (s *Sender) MaxBatch(c sumu.Connection) int {
	if len(s.nodes) == 0 {
		return 0
	}
	e, err := s.endpoint(c.Endpoint)
	if err != nil || !e.node || s.now().UnixMilli() < e.noBatch.Load() {
		return 0
	}
	return nodeapi.MaxConnections
}

// PostBatch posts the payload to connections at one node, by one request for
// each 10,000 of them or 1 MiB, and returns one outcome for each; see
// [sumu.BatchSender]. Gone, throttled and delivered are what the node says of
// each connection; an answer that is lost, or is not that of a node, is
// ErrUnavailable for all. ErrUnsupported, for all, is returned for a batch that
// was refused as a whole, such as with 403 or 404: nothing was posted, and Post
// tells what is wrong. A refusal is never taken for a connection that is gone.
func (s *Sender) PostBatch(ctx context.Context, conns []sumu.Connection, p *sumu.Payload) []error {
	outcomes := make([]error, len(conns))
	if len(conns) == 0 {
		return outcomes
	}
	fail := func(err error) []error {
		for i := range outcomes {
			outcomes[i] = &sumu.Error{Op: "post " + conns[i].ID, Err: err}
		}
		return outcomes
	}
	if p == nil {
		return fail(invalid("there is no payload"))
	}
	data, ok := p.Derived(batchKey{}, batchText).([]byte)
	if !ok {
		return fail(invalid("payload is not UTF-8"))
	}
	e, err := s.endpoint(conns[0].Endpoint)
	if err != nil {
		return fail(err)
	}
	for from := 0; from < len(conns); {
		r := newBatchRequest(conns, from, outcomes, data)
		if len(r.named) > 0 {
			s.postBatch(ctx, e, r)
		}
		from = r.end
	}
	return outcomes
}

// batchKey finds a payload as a JSON string among what was derived from it.
type batchKey struct{}

// batchText returns nil for what JSON cannot hold.
func batchText(data []byte) any {
	if !utf8.Valid(data) {
		return nil
	}
	return jsonString(nil, string(data))
}

func jsonString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			var text bytes.Buffer
			enc := json.NewEncoder(&text)
			enc.SetEscapeHTML(false) // It would grow.
			_ = enc.Encode(s)        // A string is always encoded.
			return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// batchRequest is one request: as many of the connections as fit.
type batchRequest struct {
	conns    []sumu.Connection
	outcomes []error
	named    map[string]int // ids, and where they are in conns
	end      int            // the first connection that is not in it
	body     []byte
}

func newBatchRequest(conns []sumu.Connection, from int, outcomes []error, data []byte) *batchRequest {
	r := &batchRequest{conns: conns, outcomes: outcomes, end: from}
	most := min(len(conns)-from, nodeapi.MaxConnections)
	r.named = make(map[string]int, most)
	room := nodeapi.MaxBody - len(batchHead) - len(batchData) - len(data) - len(batchTail)
	ids := make([]byte, 0, min(room, most*24))
	for ; r.end < len(conns) && len(r.named) < nodeapi.MaxConnections; r.end++ {
		c := &conns[r.end]
		if err := checkID(c.ID); err != nil {
			r.set(r.end, err)
			continue
		}
		if c.Endpoint != conns[0].Endpoint {
			r.set(r.end, errOtherEndpoint)
			continue
		}
		if _, twice := r.named[c.ID]; twice {
			break // Two users may each have a connection of this id: not in one request.
		}
		before := len(ids)
		if before > 0 {
			ids = append(ids, ',')
		}
		if ids = jsonString(ids, c.ID); len(ids) > room {
			ids = ids[:before]
			break
		}
		r.named[c.ID] = r.end
	}
	r.body = slices.Concat([]byte(batchHead), ids, []byte(batchData), data, []byte(batchTail))
	return r
}

var errOtherEndpoint = &sumu.Error{Op: "another endpoint than the batch's", Kind: sumu.ErrUnsupported}

func (r *batchRequest) set(i int, err error) {
	r.outcomes[i] = &sumu.Error{Op: "post " + r.conns[i].ID, Err: err}
}

func (r *batchRequest) setAll(err error) {
	for _, i := range r.named {
		r.set(i, err)
	}
}

func (s *Sender) postBatch(ctx context.Context, e *endpoint, r *batchRequest) {
	sum := sha256.Sum256(r.body)
	k := call{method: methodPost, data: r.body, hash: hex.EncodeToString(sum[:]), keep: true}
	k.most = maxBody + 6*len(r.body) // It repeats ids, at worst with each byte escaped.
	err := s.send(ctx, e, &k)
	if err == nil {
		err = s.batchOutcome(e, &k, r)
	}
	if err != nil {
		r.setAll(err)
	}
}

// batchOutcome sets the outcomes that an answer has, or returns what is true
// of all.
func (s *Sender) batchOutcome(e *endpoint, k *call, r *batchRequest) error {
	switch {
	case k.status >= 200 && k.status < 300:
		err := k.outcome() // Of a page of HTML, or an answer that breaks off.
		if err == nil {
			if err = r.read(k.body); err == nil {
				return nil
			}
		}
		if k.cut == nil {
			s.pauseBatches(e) // It is not a node that has answered.
		}
		return err
	case s.expired(k):
		return &sumu.Error{Op: "credentials", Kind: sumu.ErrUnavailable, Err: k.responseError()}
	case k.status == http.StatusTooManyRequests, k.status == http.StatusRequestTimeout,
		k.status >= 500 && k.status != http.StatusNotImplemented:
		return k.outcome()
	}
	s.pauseBatches(e)
	return &sumu.Error{Op: "the batch was refused", Kind: sumu.ErrUnsupported, Err: k.responseError()}
}

func (s *Sender) pauseBatches(e *endpoint) {
	e.noBatch.Store(s.now().Add(batchPause).UnixMilli())
}

var errNotANode = errors.New("the answer is not that of a node")

// read takes an answer strictly: whoever says 200 without having understood the
// batch must not be believed.
func (r *batchRequest) read(body []byte) error {
	bad := &sumu.Error{Kind: sumu.ErrUnavailable, Err: errNotANode}
	var answer nodeapi.Result
	if err := json.Unmarshal(body, &answer); err != nil || answer.Gone == nil || answer.Throttled == nil {
		return bad
	}
	for _, list := range [][]string{answer.Gone, answer.Throttled} {
		for _, id := range list {
			if _, ok := r.named[id]; !ok {
				return bad
			}
		}
	}
	status := func(ids []string, status int, kind error) {
		for _, id := range ids {
			r.set(r.named[id], &sumu.Error{Kind: kind, Err: &ResponseError{Status: status}})
		}
	}
	status(answer.Throttled, http.StatusTooManyRequests, sumu.ErrThrottled)
	status(answer.Gone, http.StatusGone, sumu.ErrGone)
	return nil
}
