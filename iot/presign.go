package iot

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sumu-live/sumu"
)

// URLLife is how long a presigned URL opens a connection. AWS IoT Core does not
// take a longer one for longer (aws-sdk-js issue 2254, read 2026-11).
const URLLife = 5 * time.Minute

const (
	gatewayService = "iotdevicegateway"

	// emptyHash is that of no payload.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Presign returns the URL, wss://{endpoint}/mqtt?…, with which a client opens an
// MQTT connection over WebSocket within [URLLife] of now. It holds the session
// token and a signature, not the secret key: it is good for what the credentials
// may do, and nothing else can be signed with it. endpoint is as [NewVendor]
// takes it.
func Presign(ctx context.Context, creds aws.Credentials, endpoint, region string, now time.Time) (string, error) {
	scheme, host, err := parseEndpoint(endpoint)
	if err != nil {
		return "", err
	}
	if !regionForm.MatchString(region) {
		return "", invalid("%q is no region", region)
	}
	query := "X-Amz-Expires=" + strconv.Itoa(int(URLLife/time.Second))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+"/mqtt?"+query, nil)
	if err != nil {
		return "", &sumu.Error{Op: "presign", Kind: sumu.ErrInvalid, Err: err}
	}
	// AWS IoT Core, unlike others, wants the session token outside of what is
	// signed (aws-sdk-go issue 2485, read 2026-11).
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableSessionToken = true })
	signed, _, err := signer.PresignHTTP(ctx, creds, r, emptyHash, gatewayService, region, now)
	if err != nil {
		return "", &sumu.Error{Op: "presign", Kind: sumu.ErrUnavailable, Err: err}
	}
	if creds.SessionToken != "" {
		signed += "&X-Amz-Security-Token=" + url.QueryEscape(creds.SessionToken)
	}
	return signed, nil
}
