package gateway

import (
	"strings"
	"testing"
)

func TestManagementPostsOnlyWhatVerifies(t *testing.T) {
	for _, tt := range rejections {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(Credentials{AccessKeyID: "AKIDEMPTY"}, testCreds)
			r := tt.alter(t, b, overWire(t, signedPost(t, rejectBody)))
			w := b.do(r)
			calls := b.hub.taken()
			if tt.reason == nil {
				if w.Code != 200 || len(calls) != 1 || calls[0] != "post c1= "+rejectBody {
					t.Errorf("got %d %s, calls %q; want the payload posted", w.Code, w.Body, calls)
				}
				return
			}
			code := "ForbiddenException"
			if tt.reason == refuseSkew {
				code = "InvalidSignatureException"
			}
			wantError(t, w, 403, code, tt.reason.Error())
			if len(calls) != 0 {
				t.Errorf("hub was asked for %q", calls)
			}
			_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			told := w.Body.String() + b.log.String()
			for _, secret := range []string{testCreds.SecretAccessKey, signature, rejectBody, hashOf(rejectBody)} {
				if secret != "" && strings.Contains(told, secret) {
					t.Errorf("the answer or the log tells %q:\n%s", secret, told)
				}
			}
			if !strings.Contains(b.log.String(), w.Header().Get("X-Amzn-RequestId")) {
				t.Errorf("the refusal is not in the log under its id: %s", b.log)
			}
		})
	}
}

// Without credentials nothing verifies, also not what an empty secret signs.
func TestManagementWithoutCredentials(t *testing.T) {
	for _, creds := range [][]Credentials{nil, {{}}, {{AccessKeyID: "AKIDEXAMPLE"}}, {{SecretAccessKey: "x"}}} {
		for _, signer := range []Credentials{testCreds, {AccessKeyID: "AKIDEXAMPLE", Region: "eu-west-1"}, {SecretAccessKey: "x", Region: "r"}} {
			b := newBench(creds...)
			r := newRequest(t, "POST", "https://gw.example.com/@connections/c1%3D", rejectBody)
			r = overWire(t, sdkSign(t, r, signer, hashOf(rejectBody), signedAt))
			body := &countingBody{Reader: r.Body}
			r.Body = body
			wantError(t, b.do(r), 403, "ForbiddenException", "")
			if body.read != 0 {
				t.Errorf("%v: read %d bytes that nothing can verify", creds, body.read)
			}
			if calls := b.hub.taken(); len(calls) != 0 {
				t.Errorf("%v posted %q", creds, calls)
			}
		}
	}
}

func TestManagementSessionToken(t *testing.T) {
	creds := with(func(c *Credentials) { c.SessionToken = "the token" })
	for _, tt := range []struct {
		name   string
		tokens []string // unsigned, in place of the SDK's
		ok     bool
	}{
		{"the same", []string{"the token"}, true},
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"another", []string{"the tokem"}, false},
		{"twice", []string{"the token", "the token"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(creds)
			r := overWire(t, signedPost(t, rejectBody)) // Signed without a token.
			r.Header["X-Amz-Security-Token"] = tt.tokens
			w := b.do(r)
			if calls := b.hub.taken(); (len(calls) == 1) != tt.ok || (w.Code == 200) != tt.ok {
				t.Errorf("got %d, calls %q, want accepted: %v", w.Code, calls, tt.ok)
			}
		})
	}
}

// Region "" takes any region.
func TestManagementAnyRegion(t *testing.T) {
	b := newBench(with(func(c *Credentials) { c.Region = "" }))
	for _, region := range []string{"eu-west-1", "us-east-1", "eu-west-1"} {
		r := anew(with(func(c *Credentials) { c.Region = region }), hashOf(rejectBody), nil)(t, b, nil)
		if w := b.do(r); w.Code != 200 {
			t.Errorf("%s: %d %s", region, w.Code, w.Body)
		}
	}
}
