package awslambda

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/sumu-live/sumu"
)

// AuthorizerRequest is the event of a REQUEST authorizer of a WebSocket API.
// (That of aws-lambda-go lacks the connection.) It holds a token: never log one.
type AuthorizerRequest struct {
	Type      string `json:"type"`
	MethodARN string `json:"methodArn"`
	// Headers and the query may be null, and header names come in any case.
	Headers                         map[string]string        `json:"headers"`
	MultiValueHeaders               map[string][]string      `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string        `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string      `json:"multiValueQueryStringParameters"`
	StageVariables                  map[string]string        `json:"stageVariables"`
	RequestContext                  AuthorizerRequestContext `json:"requestContext"`
}

// AuthorizerRequestContext is what API Gateway knows of the request.
type AuthorizerRequestContext struct {
	APIID             string `json:"apiId"`
	ConnectedAt       int64  `json:"connectedAt"` // epoch milliseconds
	ConnectionID      string `json:"connectionId"`
	DomainName        string `json:"domainName"`
	EventType         string `json:"eventType"` // CONNECT
	ExtendedRequestID string `json:"extendedRequestId"`
	Identity          struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"identity"`
	MessageDirection string `json:"messageDirection"`
	RequestID        string `json:"requestId"`
	RequestTime      string `json:"requestTime"`
	RequestTimeEpoch int64  `json:"requestTimeEpoch"`
	RouteKey         string `json:"routeKey"` // $connect
	Stage            string `json:"stage"`
}

// String returns the ids of the connection and of the request only: the rest
// may hold a token.
func (r AuthorizerRequest) String() string {
	return "authorize " + r.RequestContext.ConnectionID + " of request " + r.RequestContext.RequestID
}

// Format writes String whatever the verb: none may show a token.
func (r AuthorizerRequest) Format(s fmt.State, _ rune) { io.WriteString(s, r.String()) }

// LogValue is String: no handler of log/slog may show a token.
func (r AuthorizerRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (r *AuthorizerRequest) connectRequest() *sumu.ConnectRequest {
	return &sumu.ConnectRequest{
		ConnectionID: r.RequestContext.ConnectionID,
		Scheme:       "https",
		Host:         r.RequestContext.DomainName,
		Header:       values(r.Headers, r.MultiValueHeaders),
		Query:        values(r.QueryStringParameters, r.MultiValueQueryStringParameters),
		SourceIP:     r.RequestContext.Identity.SourceIP,
	}
}

// values joins the two forms in which an event has headers and parameters. The
// one with lists has all that the other has, where API Gateway sends both.
func values(single map[string]string, multi map[string][]string) map[string][]string {
	all := make(map[string][]string, max(len(single), len(multi)))
	for name, v := range single {
		all[name] = []string{v}
	}
	for name, v := range multi {
		if len(v) > 0 {
			all[name] = v
		}
	}
	return all
}
