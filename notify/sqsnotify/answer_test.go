package sqsnotify

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// eager is a body as smithy-go has it: its WriteTo fails once it is closed.
type eager struct{ io.ReadCloser }

func (eager) WriteTo(io.Writer) (int64, error) { return 0, io.EOF }

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestKeepAnswer(t *testing.T) {
	var got http.Request
	o := sqs.Options{HTTPClient: clientFunc(func(r *http.Request) (*http.Response, error) {
		got = *r
		return nil, nil
	})}
	keepAnswer(&o)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sqs.example", eager{io.NopCloser(strings.NewReader("body"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.HTTPClient.Do(r); err != nil {
		t.Fatal(err)
	}
	if _, ok := got.Body.(io.WriterTo); ok {
		t.Error("net/http still sees WriteTo")
	}
	if body, err := io.ReadAll(got.Body); string(body) != "body" || err != nil {
		t.Errorf("the body is %q, %v", body, err)
	}
	r.Body = http.NoBody
	if _, err := o.HTTPClient.Do(r); err != nil || got.Body != http.NoBody {
		t.Errorf("an empty body became %v, %v", got.Body, err)
	}
	keepAnswer(new(sqs.Options))
}
