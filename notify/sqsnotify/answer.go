package sqsnotify

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// keepAnswer has a client keep an answer that comes before its request was
// written to the end.
//
// smithy-go gives net/http a body whose WriteTo returns [io.EOF] once the body
// is closed, and closes it when the answer's head is there. Where the server is
// that quick, net/http takes the write for failed and closes the connection
// while the answer is still read: a large one is lost. The SDK asks again, but
// the messages of the first answer stay hidden for the visibility timeout (aws-sdk-go-v2
// issues 1825 and 2737 show the same; read 2026-11). A body without WriteTo is
// copied by Read, which ends as it should.
func keepAnswer(o *sqs.Options) {
	if o.HTTPClient != nil { // Only a client that is not the SDK's leaves it out.
		o.HTTPClient = plainBody{o.HTTPClient}
	}
}

type plainBody struct{ sqs.HTTPClient }

func (c plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.HTTPClient.Do(r)
}
