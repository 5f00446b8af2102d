package nodeapi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

func TestReason(t *testing.T) {
	want := sumu.DisconnectReason{Code: 4001, Text: "ké<>\n"}
	if got, err := nodeapi.DecodeReason(nodeapi.EncodeReason(want)); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := nodeapi.DecodeReason(nil); got != (sumu.DisconnectReason{}) || err != nil {
		t.Errorf("nothing: %+v, %v", got, err)
	}
	for _, body := range []string{
		`x`, `[]`, `null`, `{}`, `{"code":1000}`, `{"code":3999}`, `{"code":5000}`, `{"code":4001.5}`, `{"code":"4001"}`, `{"code":null}`,
		`{"Code":4001}`, `{"code":4001,"reason":null}`, `{"code":4001,"reason":"\ud800"}`, `{"code":4001,"code":4002}`,
		`{"code":4001,"more":1}`, `{"code":4001} ` + `x`, `{"code":4001,"reason":"` + strings.Repeat("x", 124) + `"}`,
	} {
		if got, err := nodeapi.DecodeReason([]byte(body)); !errors.Is(err, sumu.ErrInvalid) || got != (sumu.DisconnectReason{}) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

func FuzzDecodeReason(f *testing.F) {
	f.Add([]byte(`{"code":4001,"reason":"kicked"}`))
	f.Add([]byte(`{"code":1e3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := nodeapi.DecodeReason(body)
		if err != nil && !errors.Is(err, sumu.ErrInvalid) {
			t.Error(err)
		}
		if err != nil || len(body) == 0 {
			return
		}
		if again, err := nodeapi.DecodeReason(nodeapi.EncodeReason(r)); again != r || err != nil {
			t.Errorf("%q: %+v, %+v, %v", body, r, again, err)
		}
	})
}
