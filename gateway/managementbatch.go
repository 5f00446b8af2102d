package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

// isBatch reports whether a request posts to several connections: the
// extension for senders of this module.
func isBatch(method, path string) bool {
	if method != http.MethodPost {
		return false
	}
	for _, marker := range markers {
		if strings.Contains(path, marker) {
			return false // What follows is an id, even if it is "@connections".
		}
	}
	for _, marker := range markers {
		if strings.HasSuffix(path, marker[:len(marker)-1]) {
			return true
		}
	}
	return false
}

// batch posts to each connection in turn; it never waits for one.
func (m *management) batch(w http.ResponseWriter, body []byte) error {
	b, err := nodeapi.Decode(body)
	if err != nil {
		return batchError(err)
	}
	result := nodeapi.Result{Gone: []string{}, Throttled: []string{}}
	for _, post := range b.Posts {
		p, err := sumu.NewPayload([]byte(post.Data))
		if err != nil {
			return err
		}
		for _, id := range post.Connections {
			switch err := m.conns.post(id, p); {
			case err == nil:
			case errors.Is(err, sumu.ErrGone):
				result.Gone = append(result.Gone, id)
			case errors.Is(err, sumu.ErrThrottled):
				result.Throttled = append(result.Throttled, id)
			default: // None other is known. It may go better later.
				m.log.Error("a post of a batch failed", "connection", id, "err", err)
				result.Throttled = append(result.Throttled, id)
			}
		}
	}
	answer, err := json.Marshal(result)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // A caller that has left has no use for an error.
	return nil
}

// batchError tells the caller what is wrong: the decoder's words are meant for
// it.
func batchError(err error) error {
	var e *sumu.Error
	switch {
	case !errors.As(err, &e):
		return err
	case errors.Is(e, sumu.ErrTooLarge):
		return &managementError{errTooLarge.status, errTooLarge.code, e.Op}
	}
	return &managementError{http.StatusBadRequest, errBadID.code, e.Op}
}
