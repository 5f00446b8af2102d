package awslambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// ErrUnauthorized makes API Gateway answer 401. It compares the text of a
// function's error with exactly this one, so it is returned as it is, never
// wrapped.
var ErrUnauthorized = errors.New("Unauthorized") //nolint:staticcheck // API Gateway's text.

// MaxAuthorizerResult is the largest result of an authorizer in bytes: a quota
// of API Gateway (read 2026-11).
const MaxAuthorizerResult = 8 * 1024

// AuthorizerOptions tune an [Authorizer]. The zero value is the default.
type AuthorizerOptions struct {
	// Origins are those whose pages may connect, as in [sumu.AppOptions.Origins].
	// Default: every page may, with a token that browsers do not send by
	// themselves. An authorizer that goes by cookies and the like needs a list: no
	// page has the host of an API's endpoint.
	Origins []string
	// Logger is told why a client was refused, without its token: at level Info when
	// it is the client's fault, Error when it is ours. Default: [slog.Default],
	// warnings and errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
}

// Authorizer is the REQUEST authorizer of a WebSocket API. Leave the identity
// sources of the authorizer empty: with any, API Gateway answers 401 by itself
// to a client that presents its token elsewhere.
type Authorizer struct {
	auth    sumu.Authorizer
	origins *sumu.OriginPolicy
	logger  *slog.Logger
}

var _ handler = (*Authorizer)(nil)

// NewAuthorizer returns a handler that lets in whom auth accepts. ErrInvalid is
// returned when auth is nil, for an entry of Origins that can be no page's, and
// for an auth that goes by ambient credentials ([sumu.AmbientReader]) without
// Origins.
func NewAuthorizer(auth sumu.Authorizer, optFns ...func(*AuthorizerOptions)) (*Authorizer, error) {
	var o AuthorizerOptions
	for _, fn := range optFns {
		fn(&o)
	}
	if auth == nil {
		return nil, invalid("an Authorizer needs a sumu.Authorizer")
	}
	origins, err := sumu.NewOriginPolicy(auth, o.Origins)
	if err != nil {
		return nil, err
	}
	if err := checkOrigins(origins); err != nil {
		return nil, err
	}
	return &Authorizer{auth: auth, origins: origins, logger: logging.Or(o.Logger)}, nil
}

// checkOrigins refuses a policy by which no page could ever connect.
func checkOrigins(p *sumu.OriginPolicy) error {
	if p.SameHostOnly() {
		return invalid("the authorizer goes by credentials that browsers send by themselves, such as cookies; give Origins, the pages that may connect")
	}
	return nil
}

// Invoke handles an event of [KindAuthorizer]; see [Authorizer.Handle].
func (a *Authorizer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, a, payload)
}

func (a *Authorizer) handle(ctx context.Context, e *event) (any, error) {
	if err := e.only("Authorizer", KindAuthorizer); err != nil {
		return nil, err
	}
	var r AuthorizerRequest
	if err := json.Unmarshal(e.payload, &r); err != nil {
		return nil, invalid("event of an authorizer has another shape") // err may repeat a part of it.
	}
	return a.Handle(ctx, r)
}

// Handle decides about a connection. A client that may connect gets a policy
// that allows exactly this method, its user id as principal, and its identity
// as context, which API Gateway repeats with every event of the connection. One
// that is known but not let in (sumu.ErrForbidden) gets a policy that denies:
// 403. For a token that is missing or does not verify [ErrUnauthorized] is
// returned: 401. Every other error, ErrTooLarge for a result over
// [MaxAuthorizerResult] among them, is a fault of ours: 500.
func (a *Authorizer) Handle(ctx context.Context, r AuthorizerRequest) (events.APIGatewayCustomAuthorizerResponse, error) {
	req := r.connectRequest()
	log := a.logger.With("connection_id", req.ConnectionID, "request_id", r.RequestContext.RequestID)
	var id sumu.Identity
	err := cmp.Or(checkMethod(r.MethodARN), a.origins.Check(req))
	if err == nil {
		err = safely(func() (err error) {
			id, err = a.auth.Authorize(ctx, req)
			return err
		})
	}
	var out events.APIGatewayCustomAuthorizerResponse
	if err == nil {
		out, err = allow(r.MethodARN, id)
	}
	if err == nil {
		return out, nil
	}
	err = redacted(err, req)
	switch kind := kindOf(err); {
	case errors.Is(kind, sumu.ErrUnauthorized):
		log.InfoContext(ctx, "connection refused", "status", 401, "error", err.Error())
		return events.APIGatewayCustomAuthorizerResponse{}, ErrUnauthorized
	case errors.Is(kind, sumu.ErrForbidden):
		log.InfoContext(ctx, "connection refused", "status", 403, "error", err.Error())
		return policy("Deny", r.MethodARN, "denied"), nil
	}
	logError(ctx, log, "authorizer failed", err)
	return events.APIGatewayCustomAuthorizerResponse{}, &sumu.Error{Op: "authorize", Err: err}
}

// checkMethod refuses what would widen a policy, or what it cannot hold.
func checkMethod(arn string) error {
	const most = 512 // characters of a policy's resource (read 2026-11)
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '*' || r == '?' }
	if !strings.HasPrefix(arn, "arn:") || len(arn) > most || strings.ContainsFunc(arn, odd) || strings.Contains(arn, "${") {
		return invalid("methodArn is not the ARN of one method")
	}
	return nil
}

func allow(arn string, id sumu.Identity) (events.APIGatewayCustomAuthorizerResponse, error) {
	out := policy("Allow", arn, id.UserID)
	if err := id.Validate(); err != nil {
		return out, &sumu.Error{Kind: sumu.ErrUnauthorized, Err: err}
	}
	var err error
	if out.Context, err = identityContext(id); err != nil {
		return out, err
	}
	text, err := json.Marshal(out)
	if err != nil {
		return out, err
	}
	if len(text) > MaxAuthorizerResult {
		return out, &sumu.Error{Op: "grants and claims do not fit the result of an authorizer", Kind: sumu.ErrTooLarge}
	}
	return out, nil
}

func policy(effect, arn, principal string) events.APIGatewayCustomAuthorizerResponse {
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: principal,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{
			Version: "2012-10-17",
			Statement: []events.IAMPolicyStatement{{
				Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: []string{arn},
			}},
		},
	}
}
