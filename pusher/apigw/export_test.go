package apigw

import "github.com/sumu-live/sumu"

// RefuseLinkLocal is for tests: no name here resolves to such an address.
var RefuseLinkLocal = refuseLinkLocal

// ReadBatchAnswer is what a batch of these connections has for outcomes when a
// node answers so.
func ReadBatchAnswer(ids []string, body []byte) []error {
	r := &batchRequest{outcomes: make([]error, len(ids)), named: make(map[string]int)}
	for i, id := range ids {
		r.conns = append(r.conns, sumu.Connection{ID: id})
		r.named[id] = i
	}
	if err := r.read(body); err != nil {
		r.setAll(err)
	}
	return r.outcomes
}
