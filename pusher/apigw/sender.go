package apigw

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

// Post sends the payload to the connection, once. It returns nil when the
// management API has taken it, which is not yet the client's reading it. The
// package's documentation lists its errors.
func (s *Sender) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if p == nil {
		return &sumu.Error{Op: "post " + c.ID, Err: invalid("there is no payload")}
	}
	k := call{method: methodPost, c: c, data: p.Bytes(), hash: emptyHash}
	if len(k.data) > 0 {
		k.hash, _ = p.Derived(hashKey{}, payloadHash).(string)
	}
	if err := s.call(ctx, &k); err != nil {
		return &sumu.Error{Op: "post " + c.ID, Err: err}
	}
	return nil
}

// Disconnect closes the connection's socket. ErrGone is returned when it is no
// more: API Gateway then sends no $disconnect event, so its row is the caller's
// to remove. Other errors are those of Post.
func (s *Sender) Disconnect(ctx context.Context, c sumu.Connection) error {
	k := call{method: methodDelete, c: c, hash: emptyHash}
	if err := s.call(ctx, &k); err != nil {
		return &sumu.Error{Op: "disconnect " + c.ID, Err: err}
	}
	return nil
}

// DisconnectFor is Disconnect with a close code and a reason; see
// [sumu.ReasonDisconnecter]. Only a node, one of [Options.NodeHosts], can set
// them: API Gateway closes with 1000, whatever the reason.
func (s *Sender) DisconnectFor(ctx context.Context, c sumu.Connection, reason sumu.DisconnectReason) error {
	if err := reason.ValidateClose(); err != nil {
		return &sumu.Error{Op: "disconnect " + c.ID, Err: err}
	}
	e, err := s.endpoint(c.Endpoint)
	if err != nil || !e.node {
		return s.Disconnect(ctx, c)
	}
	body := nodeapi.EncodeReason(reason)
	hash, _ := payloadHash(body).(string)
	k := call{method: methodDelete, c: c, data: body, hash: hash}
	if err := s.call(ctx, &k); err != nil {
		return &sumu.Error{Op: "disconnect " + c.ID, Err: err}
	}
	return nil
}

// Info is what the management API tells of a connection.
type Info struct {
	ConnectedAt  time.Time // to the millisecond
	LastActiveAt time.Time // when a message last went in either direction
	SourceIP     string    // of the client, as the API sees it
	UserAgent    string    // of the client's handshake; whatever it claimed
}

// Get looks the connection up. ErrGone is returned when it is no more; other
// errors are those of Post.
func (s *Sender) Get(ctx context.Context, c sumu.Connection) (Info, error) {
	k := call{method: methodGet, c: c, hash: emptyHash, keep: true}
	err := s.call(ctx, &k)
	var info Info
	if err == nil {
		info, err = parseInfo(k.body)
	}
	if err != nil {
		return Info{}, &sumu.Error{Op: "get " + c.ID, Err: err}
	}
	return info, nil
}

func parseInfo(body []byte) (Info, error) {
	var a struct {
		ConnectedAt  time.Time `json:"connectedAt"`
		LastActiveAt time.Time `json:"lastActiveAt"`
		Identity     struct {
			SourceIP  string `json:"sourceIp"`
			UserAgent string `json:"userAgent"`
		} `json:"identity"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return Info{}, &sumu.Error{Op: "answer is not that of the management API", Kind: sumu.ErrUnavailable, Err: err}
	}
	return Info{a.ConnectedAt, a.LastActiveAt, a.Identity.SourceIP, a.Identity.UserAgent}, nil
}
