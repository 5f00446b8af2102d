package iot

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
)

// Vend verifies the request's token and returns credentials for one client of
// its user. Every call makes another client id, so that two tabs never push each
// other out. Errors are those of the authorizer, and
//
//   - ErrUnauthorized for a token that was revoked or has expired,
//   - ErrInvalid for a user id or a grant that cannot stand in a policy,
//   - ErrTooLarge for a user id that does not fit a client id, and for grants
//     that do not fit a session policy,
//   - ErrThrottled and ErrUnavailable when STS has failed, or refused us.
//
// With an error there are no credentials.
func (v *Vendor) Vend(ctx context.Context, r *sumu.ConnectRequest) (Credentials, error) {
	id, err := v.identify(ctx, r)
	if err != nil {
		return Credentials{}, err
	}
	return v.VendTo(ctx, id)
}

// VendTo is [Vendor.Vend] for an identity that has been verified.
func (v *Vendor) VendTo(ctx context.Context, id sumu.Identity) (Credentials, error) {
	p, err := v.permit(id)
	if err != nil {
		return Credentials{}, &sumu.Error{Op: "vend", Err: err}
	}
	c, err := v.assume(ctx, p)
	if err != nil {
		return Credentials{}, &sumu.Error{Op: "vend", Err: err}
	}
	return c, nil
}

func (v *Vendor) identify(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	named := *r
	if named.ConnectionID == "" {
		named.ConnectionID = rand.Text() // An App's connections have names; this one is for its errors.
	}
	s, err := v.app.Connect(ctx, &named)
	if err != nil {
		return sumu.Identity{}, err
	}
	return s.Identity, nil
}

// permit is what a client may be given.
type permit struct {
	clientID string
	topic    string
	policy   string
	duration time.Duration
}

func (v *Vendor) permit(id sumu.Identity) (p permit, err error) {
	if err = id.Validate(); err != nil {
		return p, err
	}
	if p.clientID, err = NewClientID(id.UserID); err != nil {
		return p, err
	}
	if p.topic, err = Topic(p.clientID); err != nil {
		return p, err
	}
	if err = id.Grants.Validate(); err != nil {
		return p, err
	}
	if p.policy, err = v.policy(p.clientID, id.Grants); err != nil {
		return p, err
	}
	p.duration = v.opts.Duration
	if !id.ExpiresAt.IsZero() {
		left := id.ExpiresAt.Sub(v.opts.Now()).Truncate(time.Second)
		p.duration = max(min(p.duration, left), minDuration)
	}
	return p, nil
}

func (v *Vendor) assume(ctx context.Context, p permit) (Credentials, error) {
	out, err := v.sts.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         &v.roleARN,
		RoleSessionName: aws.String(sessionName(p.clientID)),
		Policy:          &p.policy,
		DurationSeconds: aws.Int32(int32(p.duration / time.Second)),
	})
	if err != nil {
		return Credentials{}, &sumu.Error{Op: "assume role", Kind: kindOfSTS(err), Err: err}
	}
	if out == nil || out.Credentials == nil || aws.ToString(out.Credentials.AccessKeyId) == "" ||
		aws.ToString(out.Credentials.SecretAccessKey) == "" || aws.ToString(out.Credentials.SessionToken) == "" {
		return Credentials{}, &sumu.Error{Op: "assume role: the answer has no credentials", Kind: sumu.ErrUnavailable}
	}
	keys := aws.Credentials{
		AccessKeyID:     *out.Credentials.AccessKeyId,
		SecretAccessKey: *out.Credentials.SecretAccessKey,
		SessionToken:    *out.Credentials.SessionToken,
	}
	now := v.opts.Now()
	c := Credentials{
		Endpoint: v.host, Region: v.opts.Region, ClientID: p.clientID, Topic: p.topic,
		ChannelPrefix: v.opts.ChannelPrefix, ExpiresAt: now.Add(p.duration).UTC().Truncate(time.Second),
	}
	if e := out.Credentials.Expiration; e != nil {
		c.ExpiresAt = e.UTC()
	}
	if v.opts.Keys {
		c.AccessKey, c.SecretKey, c.SessionToken = keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken
		return c, nil
	}
	c.URL, err = Presign(ctx, keys, v.endpoint, v.opts.Region, now)
	return c, err
}

// sessionName is the name of a client's session, by which AWS's own records, and
// lifecycle events, name the client.
func sessionName(clientID string) string {
	const longest = 64 // of STS (read 2026-11)
	return clientID[max(len(clientID)-longest, 0):]
}

// kindOfSTS says what a failure of STS means. A refusal is not the client's
// doing: it is never ErrForbidden.
func kindOfSTS(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return sumu.ErrUnavailable
	}
	switch api.ErrorCode() {
	case "PackedPolicyTooLarge", "PackedPolicyTooLargeException":
		return sumu.ErrTooLarge
	case "MalformedPolicyDocument", "MalformedPolicyDocumentException", "ValidationError":
		return sumu.ErrInvalid
	case "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException":
		return sumu.ErrThrottled
	}
	return sumu.ErrUnavailable
}
