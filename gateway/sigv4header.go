package gateway

import (
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

const (
	sigV4Algorithm  = "AWS4-HMAC-SHA256"
	sigV4Service    = "execute-api"
	sigV4Terminator = "aws4_request"
	sigV4Time       = "20060102T150405Z"
	sigV4Skew       = 5 * time.Minute

	// maxAuthorization bounds the header, in bytes; the SDKs send about 300.
	maxAuthorization = 8 << 10
)

// refusal is why a request did not verify. Callers read it: it never tells
// what would have verified, nor an unknown access key from a wrong secret.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	refuseNone      = refusal("Missing Authentication Token")
	refuseTwice     = refusal("More than one Authorization header")
	refuseHeader    = refusal("The Authorization header is not a well-formed AWS4-HMAC-SHA256 signature")
	refusePresigned = refusal("Signatures in the query string are not accepted here")
	refuseScope     = refusal("Credential should be scoped to date/region/execute-api/aws4_request, with the date of X-Amz-Date")
	refuseDate      = refusal("X-Amz-Date (or Date) is missing, comes twice or is malformed")
	refuseSkew      = refusal("Signature expired or not yet valid: the clocks differ by more than 5 minutes")
	refuseUnsigned  = refusal("host and x-amz-date (or date) must be among SignedHeaders")
	refuseSigned    = refusal("SignedHeaders must be sorted, in lower case, and all be present")
	refusePayload   = refusal("X-Amz-Content-Sha256 must be the SHA-256 of the body: unsigned and streamed payloads are not accepted here")
	refuseQuery     = refusal("The query string is malformed")
	refuseSignature = refusal("The request signature we calculated does not match the signature you provided. Check your access key, secret key, region and host")
)

// sigV4Claim is what a request says of its own signature.
type sigV4Claim struct {
	accessKeyID   string
	date          string // YYYYMMDD
	region        string
	signedHeaders string // as given: names that ";" separates
	signature     string // hex

	timestamp   string // YYYYMMDD'T'HHMMSS'Z', of the signed date header
	contentHash string // of x-amz-content-sha256; "": not given
}

// readClaim reads what r says of its signature and refuses what cannot verify
// whatever the secret: a caller learns so before its body is read.
func readClaim(r *http.Request, now time.Time) (sigV4Claim, error) {
	if isPresigned(r) {
		return sigV4Claim{}, refusePresigned
	}
	switch len(r.Header["Authorization"]) {
	case 0:
		return sigV4Claim{}, refuseNone
	case 1:
	default:
		return sigV4Claim{}, refuseTwice
	}
	c, err := parseAuthorization(r.Header["Authorization"][0])
	if err != nil {
		return sigV4Claim{}, err
	}
	if err := c.readDate(r, now); err != nil {
		return sigV4Claim{}, err
	}
	if !c.signs("host") {
		return sigV4Claim{}, refuseUnsigned
	}
	if err := c.checkSigned(r); err != nil {
		return sigV4Claim{}, err
	}
	switch hash := r.Header["X-Amz-Content-Sha256"]; {
	case len(hash) > 1, len(hash) == 1 && len(hash[0]) != 64:
		return sigV4Claim{}, refusePayload
	case len(hash) == 1:
		c.contentHash = hash[0]
	}
	return c, nil
}

// isPresigned reports whether the query string has a part of a signature. A
// presigned URL signs no body, and it ends up in logs.
func isPresigned(r *http.Request) bool {
	_, query := requestTarget(r)
	if query == "" {
		return false
	}
	query = strings.ToLower(query)
	return strings.Contains(query, "x-amz-signature") ||
		strings.Contains(query, "x-amz-algorithm") ||
		strings.Contains(query, "x-amz-credential")
}

// parseAuthorization reads
//
//	AWS4-HMAC-SHA256 Credential=id/date/region/service/aws4_request, SignedHeaders=a;b, Signature=hex
//
// The parts may come in any order, with or without spaces around the commas;
// each must come exactly once, and no other may.
func parseAuthorization(header string) (sigV4Claim, error) {
	algorithm, rest, ok := strings.Cut(header, " ")
	if !ok || algorithm != sigV4Algorithm || len(header) > maxAuthorization {
		return sigV4Claim{}, refuseHeader
	}
	var credential, signed, signature string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " \t"), "=")
		var field *string
		switch name {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &signed
		case "Signature":
			field = &signature
		default:
			return sigV4Claim{}, refuseHeader
		}
		if value == "" || *field != "" {
			return sigV4Claim{}, refuseHeader
		}
		*field = value
	}
	if credential == "" || signed == "" || len(signature) != 64 {
		return sigV4Claim{}, refuseHeader
	}
	c := sigV4Claim{signedHeaders: signed, signature: signature}
	return c, c.readScope(credential)
}

// readScope cuts the scope off the end, so that an access key id may hold "/".
func (c *sigV4Claim) readScope(credential string) error {
	var scope [4]string
	for i := 3; i >= 0; i-- {
		slash := strings.LastIndexByte(credential, '/')
		if slash < 0 {
			return refuseHeader
		}
		scope[i], credential = credential[slash+1:], credential[:slash]
	}
	if credential == "" || scope[1] == "" {
		return refuseHeader
	}
	if scope[2] != sigV4Service || scope[3] != sigV4Terminator {
		return refuseScope
	}
	c.accessKeyID, c.date, c.region = credential, scope[0], scope[1]
	return nil
}

// readDate takes X-Amz-Date, else Date. The one that counts must be signed:
// otherwise an old signature could be given a new date.
func (c *sigV4Claim) readDate(r *http.Request, now time.Time) error {
	name, values := "x-amz-date", r.Header["X-Amz-Date"]
	if len(values) == 0 {
		name, values = "date", r.Header["Date"]
	}
	if len(values) != 1 {
		return refuseDate
	}
	if !c.signs(name) {
		return refuseUnsigned
	}
	var at time.Time
	var err error
	if value := values[0]; len(value) == len(sigV4Time) { // Parse alone takes fractions of a second too.
		at, err = time.Parse(sigV4Time, value)
	} else if name == "date" {
		at, err = http.ParseTime(value)
	} else {
		return refuseDate
	}
	if err != nil {
		return refuseDate
	}
	c.timestamp = at.UTC().Format(sigV4Time)
	if c.timestamp[:8] != c.date {
		return refuseScope
	}
	if skew := now.Sub(at); skew > sigV4Skew || skew < -sigV4Skew {
		return refuseSkew
	}
	return nil
}

func (c *sigV4Claim) signs(name string) bool {
	for signed := range strings.SplitSeq(c.signedHeaders, ";") {
		if signed == name {
			return true
		}
	}
	return false
}

// checkSigned requires the one spelling of the list that AWS defines, and that
// what was signed is there.
func (c *sigV4Claim) checkSigned(r *http.Request) error {
	last := ""
	for name := range strings.SplitSeq(c.signedHeaders, ";") {
		if name <= last || strings.ToLower(name) != name {
			return refuseSigned
		}
		if _, ok := signedValues(r, name); !ok {
			return refuseSigned
		}
		last = name
	}
	return nil
}

// signedValues returns the values of a header. net/http keeps Host and, at
// times, Content-Length outside of the headers. The one value that it has of
// them comes as a string, so that nothing is allocated.
func signedValues(r *http.Request, name string) (values []string, ok bool) {
	switch name {
	case "host":
		return nil, r.Host != ""
	case "content-length":
		return nil, r.ContentLength >= 0
	}
	values, ok = r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	return values, ok
}
