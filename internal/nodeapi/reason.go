package nodeapi

import (
	"encoding/json"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/strictjson"
)

// A DELETE of a connection at a node may say with what it is closed:
//
//	DELETE {endpoint}/@connections/{id}
//	{"code":4001,"reason":"kicked"}

type reasonJSON struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}

// EncodeReason returns the body of a DELETE.
func EncodeReason(r sumu.DisconnectReason) []byte {
	b, err := json.Marshal(reasonJSON{r.Code, r.Text})
	if err != nil {
		panic(err) // Numbers and strings always marshal.
	}
	return b
}

// DecodeReason reads the body of a DELETE; the zero reason of an empty one.
// ErrInvalid, whose text is for the caller, is returned for anything but the
// shape above, and what [sumu.DisconnectReason.ValidateClose] refuses.
func DecodeReason(body []byte) (r sumu.DisconnectReason, err error) {
	if len(body) == 0 {
		return r, nil
	}
	members, err := strictjson.Parse(body, 2)
	if err != nil {
		return r, invalid("the body: %v", err)
	}
	for _, m := range members {
		ok := false
		switch m.Name {
		case "code":
			ok = m.Value[0] != 'n' && json.Unmarshal(m.Value, &r.Code) == nil
		case "reason":
			r.Text, ok = strictjson.String(m.Value)
		}
		if !ok {
			return sumu.DisconnectReason{}, invalid("the body has the member %.64q, which is unknown or of another type", m.Name)
		}
	}
	if err := r.ValidateClose(); err != nil {
		return sumu.DisconnectReason{}, err
	}
	return r, nil
}
