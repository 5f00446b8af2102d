package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"sync/atomic"
)

// sigV4 verifies AWS Signature Version 4, in the Authorization header, for the
// service execute-api. A signature stands for 5 minutes and, as at AWS, can be
// replayed for as long, unchanged and to the same host and path.
type sigV4 struct {
	keys []*sigV4Key
	// unknown stands in for an access key that nobody has, so that it costs
	// the same to refuse as a wrong secret.
	unknown *sigV4Key
}

func newSigV4(creds []Credentials) *sigV4 {
	v := &sigV4{unknown: &sigV4Key{Credentials: Credentials{SecretAccessKey: rand.Text()}}}
	for _, c := range creds {
		if c.usable() {
			v.keys = append(v.keys, &sigV4Key{Credentials: c})
		}
	}
	return v
}

// verify returns nil when a secret of ours has signed r, with this path and this
// very body.
func (v *sigV4) verify(r *http.Request, c *sigV4Claim, path string, body []byte) error {
	sum := sha256.Sum256(body)
	bodyHash := hex.EncodeToString(sum[:])
	if c.contentHash != "" && c.contentHash != bodyHash {
		return refusePayload
	}
	canonical, err := appendCanonicalRequest(make([]byte, 0, 1024), r, c, path, bodyHash)
	if err != nil {
		return err
	}
	toSign := c.appendStringToSign(make([]byte, 0, 256), canonical)

	// All keys are compared: which of them it is does not show in the time.
	// Two may have one id, with an old and a new secret.
	known, verified := 0, 0
	for _, k := range v.keys {
		if subtle.ConstantTimeCompare([]byte(k.AccessKeyID), []byte(c.accessKeyID)) == 1 {
			known = 1
			verified |= k.verify(r, c, toSign)
		}
	}
	if known == 0 {
		v.unknown.verify(r, c, toSign)
	}
	if verified == 0 {
		return refuseSignature
	}
	return nil
}

func (c *sigV4Claim) appendStringToSign(b, canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	b = append(b, sigV4Algorithm...)
	b = append(b, '\n')
	b = append(b, c.timestamp...)
	b = append(b, '\n')
	b = append(b, c.date...)
	b = append(b, '/')
	b = append(b, c.region...)
	b = append(b, "/"+sigV4Service+"/"+sigV4Terminator+"\n"...)
	return hex.AppendEncode(b, sum[:])
}

// sigV4Key is a credential and the last signing key derived from it. One is
// enough: callers sign for one region, and a day changes once.
type sigV4Key struct {
	Credentials
	last atomic.Pointer[signingKey]
}

type signingKey struct {
	date, region string
	key          []byte
}

// verify returns 1 when the claim's signature is that of toSign by this key,
// else 0.
func (k *sigV4Key) verify(r *http.Request, c *sigV4Claim, toSign []byte) int {
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], hmacSHA256(k.signingKey(c.date, c.region), toSign))
	ok := subtle.ConstantTimeCompare(want[:], []byte(c.signature))
	if k.Region != "" && k.Region != c.region {
		ok = 0
	}
	if k.SessionToken != "" {
		token := r.Header["X-Amz-Security-Token"]
		if len(token) != 1 {
			return 0
		}
		ok &= subtle.ConstantTimeCompare([]byte(token[0]), []byte(k.SessionToken))
	}
	return ok
}

// signingKey derives the key of a day and region. It is kept whether or not
// the signature verifies: else a cached key would tell a known id from others.
func (k *sigV4Key) signingKey(date, region string) []byte {
	if s := k.last.Load(); s != nil && s.date == date && s.region == region {
		return s.key
	}
	key := hmacSHA256([]byte("AWS4"+k.SecretAccessKey), []byte(date))
	key = hmacSHA256(key, []byte(region))
	key = hmacSHA256(key, []byte(sigV4Service))
	key = hmacSHA256(key, []byte(sigV4Terminator))
	// Cloned: they are parts of a header, which they would keep in memory.
	k.last.Store(&signingKey{strings.Clone(date), strings.Clone(region), key})
	return key
}

func hmacSHA256(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}
